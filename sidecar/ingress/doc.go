// Package ingress stands before an API in any language: it ends mutual TLS, verifies token and
// binding with package verifier, asks the rules of a small file which roles a method and path
// need, and passes the request on to the app on the loopback address with the caller's identity
// in headers that no client can forge. [AuthRequest] gives the same answer to a proxy that asks
// (auth_request of nginx, ext_authz of Envoy) instead of being in the way itself.
//
// What is judged is what the app sees: a path that two programs could read differently is refused
// and not repaired, and headers by which frameworks let a client name another path or method are
// taken out. What no rule names is refused.
//
// It never makes a decision of its own about a token, remembers nothing of a request, and imports
// nothing of Kubernetes.
package ingress
