package check

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// policyMark is the policy that says which images are the sidecar's, as text of its own.
const policyMark = "lanyard-mark"

// injection looks at what pods need that ask for the sidecar.
func (p *probe) injection() section {
	return section{"Injection", []check{
		{"images of the sidecar", p.images},
		{"roots of the issuer", p.roots},
		{"pods of namespace " + p.namespace, p.pods},
	}}
}

// images looks at what the policy lanyard-mark knows of the sidecar.
func (p *probe) images(ctx context.Context) Result {
	var parameters corev1.ConfigMap
	err := p.Get(ctx, types.NamespacedName{Namespace: p.lanyard, Name: v1alpha1.ConfigMapSidecar}, &parameters)
	if apierrors.IsNotFound(err) {
		return warn("If pods are to be injected, install it: config/manager/sidecar.yaml, or injection.enabled of the chart.",
			"there is no ConfigMap %s/%s: injection is not installed, and pods with the label %s are refused, or somebody deleted it, and the next upgrade does not know which image to go on with", p.lanyard, v1alpha1.ConfigMapSidecar, v1alpha1.LabelInject)
	}
	if r, done := unseen(err, "ConfigMaps of namespace "+p.lanyard); done {
		return r
	}
	policy := &unstructured.Unstructured{Object: object{"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy"}}
	if err := p.Get(ctx, types.NamespacedName{Name: policyMark}, policy); err != nil { // that it is not there is said above
		return judgeImages(&parameters, p.where.URL, p.where.Guessed)
	}
	return worst(judgeImages(&parameters, p.where.URL, p.where.Guessed), judgeLists(policy.Object, &parameters))
}

// judgeLists compares what the policy lanyard-mark accepts with the ConfigMap that says it to
// people.
func judgeLists(policy object, parameters *corev1.ConfigMap) Result {
	const hint = "Write the same into both, or install both anew: the policy refuses the pods of every other image and issuer."
	variables, _, _ := unstructured.NestedSlice(policy, "spec", "variables")
	for _, v := range variables {
		v, _ := v.(object)
		name, _ := v["name"].(string)
		want, known := parameters.Data[name]
		expression, _ := v["expression"].(string)
		parts := strings.SplitN(expression, "'", 3) // 'one two'.split(' ')
		if known && len(parts) == 3 && !slices.Equal(strings.Fields(parts[1]), strings.Fields(want)) {
			return fail(hint, "the policy %s has %q in its variable %s, and ConfigMap %s/%s says %q", policyMark, parts[1], name, parameters.Namespace, parameters.Name, want)
		}
	}
	return ok("the policy and ConfigMap %s/%s agree", parameters.Namespace, parameters.Name)
}

func judgeImages(parameters *corev1.ConfigMap, issuer string, guessed bool) Result {
	images, audience := strings.Fields(parameters.Data["images"]), parameters.Data["audience"]
	name := parameters.Namespace + "/" + parameters.Name
	switch {
	case len(images) == 0:
		return fail("Write the sidecar's image into its key images.", "ConfigMap %s names no image of the sidecar: the next upgrade does not know which one to go on with", name)
	case audience != issuer && !guessed:
		return warn("Its key audience must be the issuer's --issuer-url, as the controller's --issuer-url must.", "ConfigMap %s names the issuer %s, and the one looked at is %s", name, audience, issuer)
	}
	return ok("pods get one of %d: %s", len(images), strings.Join(images, ", "))
}

// roots looks at the roots by which injected pods of the person's namespace trust the issuer.
func (p *probe) roots(ctx context.Context) Result {
	var held corev1.ConfigMap
	err := p.Get(ctx, types.NamespacedName{Namespace: p.namespace, Name: v1alpha1.ConfigMapCA}, &held)
	if apierrors.IsNotFound(err) {
		clients := 0
		if err := p.pages(ctx, "OAuthClient", p.namespace, func(object) { clients++ }); err != nil {
			return unclear(err)
		}
		return judgeNoRoots(clients, p.namespace)
	}
	if r, done := unseen(err, "ConfigMaps of namespace "+p.namespace); done {
		return r
	}
	return judgeRoots(&held, p.now())
}

func judgeNoRoots(clients int, namespace string) Result {
	if clients == 0 {
		return ok("none are needed in namespace %s, which holds no OAuthClient", namespace)
	}
	return warn("Does the controller run, and with --ca-bundle? Or make the ConfigMap yourself, with the roots in its key ca.crt.",
		"there is no ConfigMap %s/%s, and injected pods wait for it", namespace, v1alpha1.ConfigMapCA)
}

func judgeRoots(held *corev1.ConfigMap, now time.Time) Result {
	hint, whose := "Does a file of the controller's --ca-bundle hold the issuer's CA?", ""
	if held.Labels["app.kubernetes.io/managed-by"] != "lanyard" {
		hint, whose = "Lanyard did not make it, and leaves it as it is: correct it, or delete it and Lanyard makes its own.", ", which is not Lanyard's,"
	}
	all := certificates([]byte(held.Data[v1alpha1.KeyCA]))
	if !anyValid(all, now) {
		return fail(hint, "ConfigMap %s/%s%s holds no certificate that is valid now: injected pods do not trust the issuer", held.Namespace, held.Name, whose)
	}
	return ok("ConfigMap %s/%s%s holds %d", held.Namespace, held.Name, whose, len(all))
}

// pods looks for those that ask for the sidecar and have none.
func (p *probe) pods(ctx context.Context) Result {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	var without []string
	injected := 0
	for {
		err := p.List(ctx, list, client.InNamespace(p.namespace), client.MatchingLabels{v1alpha1.LabelInject: "true"}, unfinished(), client.Limit(page), client.Continue(list.Continue))
		if r, done := unseen(err, "pods of namespace "+p.namespace); done {
			return r
		}
		for i := range list.Items {
			if _, marked := list.Items[i].Labels[v1alpha1.LabelAdmitted]; marked {
				injected++
			} else {
				without = append(without, list.Items[i].Name)
			}
		}
		if list.Continue == "" {
			return judgePods(injected, without)
		}
	}
}

// unfinished selects pods that can still get tokens.
func unfinished() client.ListOption {
	return &client.ListOptions{Raw: &metav1.ListOptions{FieldSelector: "status.phase!=Succeeded,status.phase!=Failed"}}
}

func judgePods(injected int, without []string) Result {
	if len(without) == 0 {
		return ok("%d ask for the sidecar and have it", injected)
	}
	slices.Sort(without)
	names := strings.Join(without[:min(len(without), named)], ", ")
	if more := len(without) - named; more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return warn("They were created while the webhook was not asked, or labelled later. Delete them, and their owners make new ones.",
		"%d of %d that ask for the sidecar have none: %s", len(without), injected+len(without), names)
}
