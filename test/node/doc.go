// Package node tests the node of hack/cluster itself, with real pods and without Lanyard: what
// the end-to-end tests take for granted. `make e2e` runs it (build tag e2e; Linux, root).
package node
