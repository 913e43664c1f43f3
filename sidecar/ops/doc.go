// Package ops is the sidecar's plain port: /healthz, /startedz and /metrics.
package ops
