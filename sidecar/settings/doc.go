// Package settings reads what a pod's owner asks of the sidecar: the annotation
// lanyard.dev/config, a small YAML. It is pure, so that the injector judges it at admission by
// the very rules that the sidecar starts with.
//
//	resources:
//	- {name: orders, identifier: api://orders}
//	upstreams:
//	- {port: 9470, url: https://orders.orders.svc:8443, resource: api://orders, caConfigMap: orders-ca}
package settings
