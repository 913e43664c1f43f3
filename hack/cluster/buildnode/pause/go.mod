// The program that holds the namespaces of a pod of hack/cluster's node.
module github.com/lanyard-dev/lanyard/hack/cluster/buildnode/pause

go 1.26.0
