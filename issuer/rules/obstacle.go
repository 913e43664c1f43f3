package rules

import "github.com/lanyard-dev/lanyard/api/v1alpha1"

// Obstacle says why client c gets no token for a resource although a role on it is
// granted, and what to change; empty if nothing that both sides have declared stands in
// the way. resource must not be nil; onResource is its verdict.
//
// Decide refuses for the same reasons. A request can lack more, such as a certificate:
// that is not for a status to say.
func Obstacle(c *v1alpha1.OAuthClient, resource *v1alpha1.ProtectedResource, onResource Verdict) string {
	switch {
	case !onResource.OK && onResource.Reason == v1alpha1.ReasonSuspended:
		return "no token until the API's owner sets spec.suspend: false on ProtectedResource " + name(resource)
	case !onResource.OK:
		return "no token: ProtectedResource " + name(resource) + " does not work (" + onResource.Reason + "); its owner sees why"
	case unboundRefused(c, resource):
		return "no token: the client's spec.tokenBinding is None, and ProtectedResource " + name(resource) +
			" takes bound tokens only; set spec.tokenBinding to MTLS or DPoP, or have the API's owner set spec.tokenBindingPolicy: Optional"
	default:
		return ""
	}
}

// unboundRefused says whether the client's tokens are bound to nothing, and the resource
// asks for bound ones.
func unboundRefused(c *v1alpha1.OAuthClient, resource *v1alpha1.ProtectedResource) bool {
	return c.Spec.TokenBinding == v1alpha1.TokenBindingNone && resource.Spec.TokenBindingPolicy != v1alpha1.TokenBindingOptional
}
