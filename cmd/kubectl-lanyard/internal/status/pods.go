package status

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// namedPods is how many pods are named.
const namedPods = 3

// notInjected reads the metadata of the pods that ask for the sidecar and have none. Who may
// not read pods gets the rest of the report.
func (r reader) notInjected(namespace string, into *[]metav1.PartialObjectMetadata) func(context.Context) error {
	return cli.Optional(func(ctx context.Context) error {
		var list metav1.PartialObjectMetadataList
		list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
		err := r.List(ctx, &list, client.InNamespace(namespace), client.Limit(maxRead), &client.ListOptions{Raw: &metav1.ListOptions{
			LabelSelector: v1alpha1.LabelInject + "=true,!" + v1alpha1.LabelAdmitted,
			FieldSelector: "status.phase!=Succeeded,status.phase!=Failed",
		}})
		*into = list.Items
		return err
	})
}

// notInjected says of each namespace which pods ask for the sidecar and have none.
func notInjected(pods []metav1.PartialObjectMetadata) []problem {
	names := map[string][]string{}
	for i := range pods {
		names[pods[i].Namespace] = append(names[pods[i].Namespace], pods[i].Name)
	}
	var all []problem
	for namespace, pods := range names {
		slices.Sort(pods)
		shown := strings.Join(pods[:min(len(pods), namedPods)], ", ")
		if more := len(pods) - namedPods; more > 0 {
			shown += fmt.Sprintf(" and %d more", more)
		}
		all = append(all, problem{"Pods/" + namespace, fmt.Sprintf(
			"%d with the label %s and without a sidecar: %s; they get no tokens. Delete them, and their owners make new ones that are injected", len(pods), v1alpha1.LabelInject, shown)})
	}
	slices.SortFunc(all, func(a, b problem) int { return strings.Compare(a.Object, b.Object) })
	return all
}
