// Package approle writes the status of AppRoles: whether the role can be granted,
// how many clients have it, and who waits for its owner's decision.
//
// Every verdict is issuer/rules'. The package reads the manager's cache and writes
// nothing but the status.
package approle
