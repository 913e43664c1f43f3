// Command coredns is CoreDNS with the plugins that the node of hack/cluster has a use for: the
// others would bring the libraries of every cloud along.
package main

import (
	"github.com/coredns/coredns/coremain"
	// Each registers itself; core/dnsserver knows the order in which they are asked.
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() { coremain.Run() }
