// Package clientauth finds out who asks for a token. There is one file for each
// method; each returns a Client that says what it verified.
//
// A request authenticates by exactly one method, chosen by what it presents. What
// the client's policy allows is judged on the method that verified, never on a
// parameter that was merely present. Every refusal of identity has one number and
// one text for the caller, and a Reason for the log.
//
// The package owns the interfaces that issuer/kube fills. It imports no Kubernetes
// client, no HTTP and no clock.
package clientauth
