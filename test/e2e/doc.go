// Package e2e shows with real pods what Lanyard promises: on the node of hack/cluster, with
// Lanyard installed by Helm from the image that is shipped. `make e2e` runs it, and `make soak`
// the long forms of the same tests; both need root.
//
//	make cluster-node                                  # a node that stays, for quick turns
//	LANYARD_NODE=.node go test -tags=e2e ./test/e2e -run Story -v
//
// Each test has a namespace of its own, which is removed after it.
package e2e
