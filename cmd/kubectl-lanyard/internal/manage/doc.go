// Package manage is what a person does at once: suspend and resume a client or a resource,
// and rotate or drop Lanyard's signing keys. Each command says what happens now, and how
// long what is out there still works.
package manage
