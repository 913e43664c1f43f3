// Package interop runs clients and verifiers of other makers against a real Lanyard: controller
// and issuer as processes, on a real control plane with cert-manager, over TLS. Nothing in a
// client is ours: each is a library as its makers document it (folders node and go), or curl
// with the requests of the vendors' documentation, or kube-apiserver itself.
//
// Everything in it has the build tag e2e; `make e2e` runs it, and installs what it needs.
package interop
