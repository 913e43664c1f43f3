package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

const (
	// page is how many objects are read at once.
	page = 500
	// named is how many of those that are not Ready are named.
	named = 3
)

func (p *probe) objects() section {
	s := section{name: "Objects"}
	for _, kind := range []string{"OAuthClient", "ClientCertificate", "ProtectedResource", "AppRole", "AppRoleAssignment"} {
		s.checks = append(s.checks, check{kind, func(ctx context.Context) Result { return p.ready(ctx, kind) }})
	}
	s.checks = append(s.checks, check{"CAs of clients", p.authorities})
	return s
}

// list reads the objects of one of Lanyard's kinds: all that the person may see, of all
// namespaces or else of theirs.
func (p *probe) list(ctx context.Context, kind string, visit func(o object)) (where string, err error) {
	where = "in all namespaces"
	err = p.pages(ctx, kind, "", visit)
	if apierrors.IsForbidden(err) {
		where = "in namespace " + p.namespace
		err = p.pages(ctx, kind, p.namespace, visit)
	}
	return where, err
}

func (p *probe) pages(ctx context.Context, kind, namespace string, visit func(o object)) error {
	next := ""
	for {
		l := &unstructured.UnstructuredList{}
		l.SetAPIVersion(v1alpha1.SchemeGroupVersion.String())
		l.SetKind(kind + "List")
		if err := p.List(ctx, l, client.InNamespace(namespace), client.Limit(page), client.Continue(next)); err != nil {
			return err
		}
		for i := range l.Items {
			visit(l.Items[i].Object)
		}
		if next = l.GetContinue(); next == "" {
			return nil
		}
	}
}

// ready counts the objects of a kind that are not Ready.
func (p *probe) ready(ctx context.Context, kind string) Result {
	total := 0
	var not []string
	where, err := p.list(ctx, kind, func(o object) {
		total++
		if status, message := condition(o, "Ready"); status != "True" {
			u := unstructured.Unstructured{Object: o}
			not = append(not, u.GetNamespace()+"/"+u.GetName()+message)
		}
	})
	if apierrors.IsNotFound(err) {
		return notSeen("not looked at: the kind is not installed")
	}
	if r, done := unseen(err, kind+"s"); done {
		return r
	}
	return judgeReady(total, not, where, kind)
}

func judgeReady(total int, not []string, where, kind string) Result {
	if total == 0 {
		return ok("none %s", where)
	}
	if len(not) == 0 {
		return ok("%d %s, all Ready", total, where)
	}
	slices.Sort(not)
	shown := not[:min(len(not), named)]
	hint := strings.Join(shown, "\n")
	if more := len(not) - len(shown); more > 0 {
		hint += fmt.Sprintf("\nand %d more: kubectl get %ss -A", more, strings.ToLower(kind))
	}
	return warn(hint, "%d of %d %s not Ready", len(not), total, where)
}

// authorities looks at the cert-manager issuers that make clients' certificates, and at
// the CA bundles of those that are made elsewhere.
func (p *probe) authorities(ctx context.Context) Result {
	issuers := map[string]types.NamespacedName{}
	bundles, ended := 0, []string{}
	_, err := p.list(ctx, "ClientCertificate", func(o object) {
		u := unstructured.Unstructured{Object: o}
		kind, _, _ := unstructured.NestedString(o, "spec", "issuance", "issuerRef", "kind")
		name, _, _ := unstructured.NestedString(o, "spec", "issuance", "issuerRef", "name")
		switch kind {
		case "ClusterIssuer":
			issuers["ClusterIssuer/"+name] = types.NamespacedName{Name: name}
		case "Issuer":
			issuers["Issuer "+u.GetNamespace()+"/"+name] = types.NamespacedName{Namespace: u.GetNamespace(), Name: name}
		}
		if bundle, found, _ := unstructured.NestedString(o, "spec", "subject", "caBundle"); found {
			bundles++
			if !anyValid(certificates([]byte(bundle)), p.now()) {
				ended = append(ended, fmt.Sprintf("no certificate in the CA bundle of ClientCertificate %s/%s is valid now", u.GetNamespace(), u.GetName()))
			}
		}
	})
	if apierrors.IsNotFound(err) {
		return notSeen("not looked at: the kind is not installed")
	}
	if r, done := unseen(err, "ClientCertificates"); done {
		return r
	}
	unknown := 0
	for _, title := range slices.Sorted(maps.Keys(issuers)) {
		problem, seen := p.authority(ctx, title, issuers[title])
		if problem != "" {
			ended = append(ended, problem)
		}
		if !seen {
			unknown++
		}
	}
	return judgeAuthorities(len(issuers), unknown, bundles, ended)
}

// authority says what is wrong with an issuer of cert-manager, and whether it could be
// looked at.
func (p *probe) authority(ctx context.Context, title string, key types.NamespacedName) (problem string, seen bool) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(certmanagerv1.SchemeGroupVersion.WithKind("Issuer"))
	if key.Namespace == "" {
		u.SetKind("ClusterIssuer")
	}
	err := p.Get(ctx, key, u)
	switch {
	case apierrors.IsNotFound(err):
		return title + " does not exist", true
	case err != nil:
		return "", false
	}
	if status, message := condition(u.Object, "Ready"); status != "True" {
		return title + " is not Ready" + message, true
	}
	return "", true
}

func judgeAuthorities(issuers, unknown, bundles int, problems []string) Result {
	found := fmt.Sprintf("issuers of cert-manager in use: %d, CA bundles: %d", issuers, bundles)
	if len(problems) > 0 {
		return warn(strings.Join(problems[:min(len(problems), named)], "\n"), "%s; out of order: %d", found, len(problems))
	}
	if unknown > 0 {
		return ok("%s; you may not look at %d of them", found, unknown)
	}
	return ok("%s", found)
}
