// Package ops is the sidecar's plain port: /healthz, /startedz and /metrics.
//
// The metrics are written here and not by a client library, which would need more memory
// than everything else that the sidecar does.
package ops
