package check

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// permission is something that a person may want to do.
type permission struct {
	name       string
	attributes authorizationv1.ResourceAttributes
}

// inNamespace are what people do in a namespace with this tool.
func inNamespace(namespace string) []permission {
	of := func(name, verb, group, resource, subresource string) permission {
		return permission{name, authorizationv1.ResourceAttributes{
			Namespace: namespace, Verb: verb, Group: group, Resource: resource, Subresource: subresource,
		}}
	}
	const own = "lanyard.dev"
	return []permission{
		of("see the kinds", "list", own, "oauthclients", ""),
		of("declare clients", "create", own, "oauthclients", ""),
		of("declare certificates", "create", own, "clientcertificates", ""),
		of("have certificates made", "create", "cert-manager.io", "certificates", ""),
		of("suspend clients", "patch", own, "oauthclients", ""),
		of("declare resources", "create", own, "protectedresources", ""),
		of("declare roles", "create", own, "approles", ""),
		of("approve and deny", "create", own, "approleassignments", ""),
		of("get tokens as clients", "create", "", "serviceaccounts", "token"),
	}
}

// toInstall is what installing takes.
func toInstall(lanyard string) []permission {
	of := func(group, resource, namespace string) permission {
		return permission{"create " + resource, authorizationv1.ResourceAttributes{Verb: "create", Group: group, Resource: resource, Namespace: namespace}}
	}
	return []permission{
		of("", "namespaces", ""),
		of("apiextensions.k8s.io", "customresourcedefinitions", ""),
		of("rbac.authorization.k8s.io", "clusterroles", ""),
		of("rbac.authorization.k8s.io", "clusterrolebindings", ""),
		of("admissionregistration.k8s.io", "validatingadmissionpolicies", ""),
		of("admissionregistration.k8s.io", "validatingadmissionpolicybindings", ""),
		of("admissionregistration.k8s.io", "validatingwebhookconfigurations", ""),
		of("admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
		of("apps", "deployments", lanyard),
		of("", "serviceaccounts", lanyard),
		of("", "services", lanyard),
		of("rbac.authorization.k8s.io", "roles", lanyard),
		of("rbac.authorization.k8s.io", "rolebindings", lanyard),
		of("cert-manager.io", "certificates", lanyard),
		of("cert-manager.io", "issuers", lanyard),
	}
}

// may makes a check of each permission; denied is the verdict where it is missing.
func (p *probe) may(name string, all []permission, denied Verdict) section {
	s := section{name: name}
	for _, one := range all {
		s.checks = append(s.checks, check{one.name, func(ctx context.Context) Result {
			review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &one.attributes}}
			if err := p.Create(ctx, review); err != nil {
				return unclear(err)
			}
			if review.Status.Allowed {
				return ok("yes")
			}
			return Result{Verdict: denied, Found: "no"}
		}})
	}
	return s
}
