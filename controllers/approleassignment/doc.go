// Package approleassignment writes the status of AppRoleAssignments: whether the
// decision is in force, and how many clients it speaks of.
//
// Every verdict is issuer/rules'. The package reads the manager's cache and writes
// nothing but the status.
package approleassignment
