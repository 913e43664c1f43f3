// Package registry is what the issuer knows: the objects of the cluster, indexed by
// what requests name them by.
//
// Objects are applied and deleted one at a time, each in constant time, by one
// writer at a time. Reads take no lock and see whole objects: every value that a
// reader can reach is never changed, only replaced. A request costs the same with
// a hundred thousand clients as with ten.
//
// The package is pure: it keeps no clock, reads nothing and logs nothing, and
// every rule is asked of issuer/rules.
package registry
