package pod

import (
	"context"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Indexes of pods by what they name, within a namespace.
const (
	indexClient      = "pod.client"
	indexCertificate = "pod.certificate"
)

func metadata() *metav1.PartialObjectMetadata {
	pod := &metav1.PartialObjectMetadata{}
	pod.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Pod"))
	return pod
}

// observe reads what is known of the client that a pod names.
func (r *reconciler) observe(ctx context.Context, pod *metav1.PartialObjectMetadata) (facts, error) {
	_, marked := pod.Labels[v1alpha1.LabelAdmitted]
	f := facts{
		name: pod.Name, namespace: pod.Namespace, created: pod.CreationTimestamp.Time, marked: marked,
		client:      pod.Annotations[v1alpha1.AnnotationClient],
		certificate: pod.Annotations[v1alpha1.AnnotationCertificate],
		secret:      pod.Annotations[v1alpha1.AnnotationCertificateSecret],
	}
	if !marked {
		return f, nil
	}
	c := &v1alpha1.OAuthClient{}
	there, err := r.find.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: f.client}, c)
	if err != nil || !there {
		return f, err
	}
	f.known.Client = c
	if f.certificate != "" {
		cc := &v1alpha1.ClientCertificate{}
		if there, err = r.find.Get(ctx, types.NamespacedName{Namespace: pod.Namespace, Name: f.certificate}, cc); there {
			f.known.Named = cc
		}
		return f, err
	}
	var list v1alpha1.ClientCertificateList
	err = r.find.Reader.List(ctx, &list, client.InNamespace(pod.Namespace), client.MatchingFields{index.CertificateClient: f.client}, client.UnsafeDisableDeepCopy)
	for i := range list.Items {
		if cc := &list.Items[i]; !rules.Gone(cc) {
			f.known.Certificates = append(f.known.Certificates, cc)
		}
	}
	return f, err
}

// stripped keeps of a pod's metadata what is looked at here: there are thousands of pods, and
// lanyard.dev/config may be as long as its owner likes.
func stripped(object any) (any, error) {
	pod, ok := object.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil, fmt.Errorf("a %T among the metadata of pods", object)
	}
	pod.ManagedFields, pod.OwnerReferences, pod.Finalizers, pod.GenerateName = nil, nil, nil, ""
	maps.DeleteFunc(pod.Labels, func(name, _ string) bool { return name != v1alpha1.LabelInject && name != v1alpha1.LabelAdmitted })
	maps.DeleteFunc(pod.Annotations, func(name, value string) bool {
		return name != v1alpha1.AnnotationClient && name != v1alpha1.AnnotationCertificate && name != v1alpha1.AnnotationCertificateSecret ||
			len(value) > maxName
	})
	for name, value := range pod.Annotations {
		pod.Annotations[name] = strings.Clone(value) // not a part of the whole answer
	}
	return pod, nil
}

// maxName is the longest name that an object may have.
const maxName = 253

// add adds the pods that name what an index knows by that name.
func (r *reconciler) add(ctx context.Context, keys index.Keys, namespace, by, name string) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	err := r.pods.List(ctx, list, client.InNamespace(namespace), client.MatchingFields{by: name}, client.UnsafeDisableDeepCopy)
	for i := range list.Items {
		keys[client.ObjectKeyFromObject(&list.Items[i])] = struct{}{}
	}
	return err
}
