// Package metrics counts, and writes what it counted in Prometheus' text format.
//
// It is here because the client library for that needs two MiB, a fifth of what the whole
// sidecar may have in every pod.
package metrics
