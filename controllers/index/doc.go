// Package index is how controllers find objects by what they say, and whom a change
// concerns.
//
// It registers the field indexes of the manager's cache, reads with them what
// issuer/rules needs to judge an object that is not the reconciled one, and maps a
// changed object to the objects whose status may change with it. It reads the cache
// only, and writes nothing.
package index
