// Package ingress runs the configurations of docs/apis.md, with the lanyard-sidecar binary, a real
// nginx and a real HAProxy. `make e2e` runs it; the programs come from the system's packages.
package ingress
