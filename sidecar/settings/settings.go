package settings

import (
	"net/url"
	"slices"
)

// The ports of the sidecar itself. An upstream can have neither.
const (
	// EndpointPort is where the app asks for tokens, on loopback.
	EndpointPort = 9466
	// MetricsPort is where metrics and health are.
	MetricsPort = 9467
)

// Limits of what one pod may ask for.
const (
	// MaxResources is how many resources one sidecar gets tokens for.
	MaxResources = 32
	// MaxUpstreams is how many upstreams one sidecar has.
	MaxUpstreams = 32
	// MaxBytes is how long the YAML may be.
	MaxBytes = 16 << 10
)

// Settings are what the sidecar is to do. A value that Parse returned is valid.
type Settings struct {
	// Resources are those that tokens are held for, and the only ones that may be asked for.
	Resources []Resource
	// Upstreams are the local proxies.
	Upstreams []Upstream
}

// Resource is an API that tokens are held for.
type Resource struct {
	// Name is the name of its files below /var/run/lanyard.
	Name string
	// Identifier is the audience of its tokens: spec.identifier of the ProtectedResource.
	Identifier string
}

// Upstream is a local proxy that adds the token and the client certificate.
type Upstream struct {
	// Port is where the app calls it, on loopback.
	Port int
	// URL is where calls go: https, a host, perhaps a port and a path that is put before the
	// call's own.
	URL *url.URL
	// Resource is the identifier whose token is added. It is always among Settings.Resources.
	Resource string
	// CAConfigMap names the ConfigMap, of the pod's namespace, whose ca.crt verifies the
	// upstream. Empty: the issuer's own roots do not apply, the system's do.
	CAConfigMap string
}

// Identifiers are the identifiers of all resources, in their order.
func (s Settings) Identifiers() []string {
	all := make([]string, 0, len(s.Resources))
	for _, r := range s.Resources {
		all = append(all, r.Identifier)
	}
	return all
}

// Lists says whether tokens for identifier may be asked for.
func (s Settings) Lists(identifier string) bool {
	return slices.ContainsFunc(s.Resources, func(r Resource) bool { return r.Identifier == identifier })
}

// ConfigMaps are the names of the ConfigMaps with upstreams' roots, each once, in order.
func (s Settings) ConfigMaps() []string {
	var all []string
	for _, u := range s.Upstreams {
		if u.CAConfigMap != "" && !slices.Contains(all, u.CAConfigMap) {
			all = append(all, u.CAConfigMap)
		}
	}
	return all
}
