package injection

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

// Wish is what a pod's owner asks for, in the pod's annotations.
type Wish struct {
	// Client and Certificate name an OAuthClient and a ClientCertificate of the pod's own
	// namespace, Secret the Secret with certificate and key. Only Client is always there.
	Client, Certificate, Secret string
	// Expose has the app see the certificate and its key.
	Expose bool
	// Wait has the app start only once its tokens are there.
	Wait bool
	// Config is the text that Settings were read from.
	Config   string
	Settings settings.Settings
	// CPU and Memory are what the sidecar requests; nil: the default.
	CPU, Memory *resource.Quantity
}

// refusal is a "no" with a sentence that says what to change.
type refusal struct{ sentence string }

func (r *refusal) Error() string { return r.sentence }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// wishes are the annotations that a pod's owner writes.
func wishes() []string {
	return []string{
		v1alpha1.AnnotationClient, v1alpha1.AnnotationCertificate, v1alpha1.AnnotationCertificateSecret,
		v1alpha1.AnnotationExposeCertificate, v1alpha1.AnnotationConfig, v1alpha1.AnnotationWait,
		v1alpha1.AnnotationSidecarCPU, v1alpha1.AnnotationSidecarMemory,
	}
}

// readWish reads the annotations of a pod that is to be created. What it cannot read it
// refuses.
func readWish(annotations map[string]string) (w Wish, err error) {
	client, ok := annotations[v1alpha1.AnnotationClient]
	switch {
	case !ok:
		return w, refuse("the annotation %s is missing: name the OAuthClient whose tokens the pod gets, for example %s: checkout; or take the label %s away, for a pod without Lanyard's sidecar",
			v1alpha1.AnnotationClient, v1alpha1.AnnotationClient, v1alpha1.LabelInject)
	case strings.Contains(client, "/"):
		return w, refuse("the annotation %s is %s: write the name of the OAuthClient alone; it is always of the pod's own namespace", v1alpha1.AnnotationClient, shown(client))
	}
	w = Wish{Client: client, Certificate: annotations[v1alpha1.AnnotationCertificate], Secret: annotations[v1alpha1.AnnotationCertificateSecret], Config: annotations[v1alpha1.AnnotationConfig]}
	for _, name := range []struct{ annotation, value, of string }{
		{v1alpha1.AnnotationClient, w.Client, "an OAuthClient"},
		{v1alpha1.AnnotationCertificate, w.Certificate, "a ClientCertificate"},
		{v1alpha1.AnnotationCertificateSecret, w.Secret, "a Secret"},
	} {
		if _, ok := annotations[name.annotation]; ok && len(validation.IsDNS1123Subdomain(name.value)) > 0 {
			return w, refuse("the annotation %s is %s, which can be the name of no object: write the name of %s, in lower-case letters, digits, - and .", name.annotation, shown(name.value), name.of)
		}
	}
	if w.Expose, err = yes(annotations, v1alpha1.AnnotationExposeCertificate, false); err != nil {
		return w, err
	}
	if w.Wait, err = yes(annotations, v1alpha1.AnnotationWait, true); err != nil {
		return w, err
	}
	if w.Settings, err = settings.Parse([]byte(w.Config)); err != nil {
		return w, refuse("the annotation %s: %v", v1alpha1.AnnotationConfig, err)
	}
	if w.CPU, err = quantity(annotations, v1alpha1.AnnotationSidecarCPU, "20m"); err != nil {
		return w, err
	}
	w.Memory, err = quantity(annotations, v1alpha1.AnnotationSidecarMemory, "48Mi")
	return w, err
}

// yes reads an annotation that is "true" or "false", or not there.
func yes(annotations map[string]string, name string, otherwise bool) (bool, error) {
	switch value, ok := annotations[name]; {
	case !ok:
		return otherwise, nil
	case value == "true", value == "false":
		return value == "true", nil
	default:
		return false, refuse(`the annotation %s is %s: write "true" or "false", in quotes`, name, shown(value))
	}
}

// quantity reads an annotation that is a quantity, or not there.
func quantity(annotations map[string]string, name, example string) (*resource.Quantity, error) {
	value, ok := annotations[name]
	if !ok {
		return nil, nil
	}
	q, err := resource.ParseQuantity(value)
	if err != nil || q.Sign() <= 0 {
		return nil, refuse("the annotation %s is %s: write a quantity above zero, for example %s", name, shown(value), example)
	}
	return &q, nil
}

// unknownWishes warns of annotations that look like Lanyard's, and are not.
func unknownWishes(pod *corev1.Pod) []string {
	var warnings []string
	for name := range pod.Annotations {
		if strings.HasPrefix(name, "lanyard.dev/") && !slices.Contains(wishes(), name) {
			warnings = append(warnings, fmt.Sprintf("the annotation %s means nothing on a pod; Lanyard knows %s", shown(name), strings.Join(wishes(), ", ")))
		}
	}
	slices.Sort(warnings)
	return warnings
}

// idle warns of settings with which a sidecar runs, and the app gets nowhere.
func (w Wish) idle() []string {
	if len(w.Settings.Resources) == 0 {
		return []string{fmt.Sprintf("the annotation %s lists no API, so the sidecar gets no tokens: write for example resources: [{name: orders, identifier: api://orders}]", v1alpha1.AnnotationConfig)}
	}
	var warnings []string
	for i, u := range w.Settings.Upstreams {
		if u.CAConfigMap == "" {
			warnings = append(warnings, fmt.Sprintf("the annotation %s: upstreams[%d] has no caConfigMap, and Lanyard's image has no roots of its own: calls of %s fail, unless the image is another; name the ConfigMap whose ca.crt verifies it",
				v1alpha1.AnnotationConfig, i, u.URL.Host))
		}
	}
	return warnings
}

// shown writes a value that may be as long as a request can be.
func shown(value string) string {
	const most = 100
	if len(value) > most {
		return fmt.Sprintf("%.*q…", most, value)
	}
	return fmt.Sprintf("%q", value)
}
