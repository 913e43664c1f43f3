// Package protectedresource writes the status of ProtectedResources: whether tokens
// can be had for the resource, and if not why.
//
// Every verdict is issuer/rules'. The package reads the manager's cache and writes
// nothing but the status.
package protectedresource
