// Package cli is what the commands of kubectl lanyard share: kubectl's flags, a client
// that acts with the person's own permissions, tables, times and colours as kubectl has
// them, and errors that say what to change.
package cli
