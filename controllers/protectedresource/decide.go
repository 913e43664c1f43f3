package protectedresource

import "github.com/lanyard-dev/lanyard/issuer/rules"

// decide says what the rules say.
func decide(f facts) rules.Verdict {
	return rules.Resource(f.resource, f.namespace, f.clusterDomain, f.holder)
}
