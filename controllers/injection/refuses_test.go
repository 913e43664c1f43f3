package injection

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

func labelled(mark string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[v1alpha1.LabelAdmitted] = mark }
}

// attempt is a pod that is refused, and what is said then.
type attempt struct {
	pod   *corev1.Pod
	known Known
	says  []string
}

func TestRefusesPods(t *testing.T) {
	for name, test := range attempts(t) {
		t.Run(name, func(t *testing.T) {
			_, _, err := inject(t, test.pod, test.known)
			if err == nil {
				t.Fatalf("it is admitted; want a refusal with %q", test.says)
			}
			for _, s := range test.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("it says %q; want %q in it", err, s)
				}
			}
		})
	}
}

// What docs/injection.md says is said.
func TestDocumentedRefusals(t *testing.T) {
	var said []string
	for _, test := range attempts(t) {
		_, _, err := inject(t, test.pod, test.known)
		said = append(said, fmt.Sprint(err))
	}
	said = append(said, handled(t, &handler{}, pod()).Result.Message)
	page, err := os.ReadFile("../../docs/injection.md")
	check(t, err)
	_, table, _ := strings.Cut(string(page), "| refused | it says |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(strings.TrimSpace(table), "\n")[1:]
	if len(rows) < 10 {
		t.Fatalf("the page has %d rows", len(rows))
	}
	for _, row := range rows {
		sentence, _, _ := strings.Cut(strings.Trim(strings.Split(row, " | ")[1], "| "), "…")
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, strings.TrimSpace(sentence)) }) {
			t.Errorf("nobody is told %q", sentence)
		}
	}
}

func attempts(t *testing.T) map[string]attempt {
	t.Helper()
	mounts := func(name, path string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: name, MountPath: path}}
		}
	}
	declares := func(ports ...corev1.ContainerPort) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = ports }
	}
	return map[string]attempt{
		"no annotation": {pod(func(p *corev1.Pod) { p.Annotations = nil }), ready(), []string{
			"the annotation lanyard.dev/client is missing", "lanyard.dev/client: checkout", "take the label lanyard.dev/inject away",
		}},
		"an empty annotation":           {pod(annotated(v1alpha1.AnnotationClient, "")), ready(), []string{`lanyard.dev/client is ""`, "the name of an OAuthClient"}},
		"a name that is no client's":    {pod(annotated(v1alpha1.AnnotationClient, "Checkout_1")), ready(), []string{`"Checkout_1", which can be the name of no object`}},
		"a client of another namespace": {pod(annotated(v1alpha1.AnnotationClient, "orders/checkout")), ready(), []string{"of the pod's own namespace"}},
		"a very long name":              {pod(annotated(v1alpha1.AnnotationClient, strings.Repeat("X", 1000))), ready(), []string{`X"…, which can be`}},
		"no name of a certificate":      {pod(annotated(v1alpha1.AnnotationCertificate, "")), ready(), []string{`lanyard.dev/certificate is ""`, "a ClientCertificate"}},
		"no name of a Secret":           {pod(annotated(v1alpha1.AnnotationCertificateSecret, "a/b")), ready(), []string{`lanyard.dev/certificate-secret is "a/b"`}},
		"to wait perhaps":               {pod(annotated(v1alpha1.AnnotationWait, "no")), ready(), []string{`lanyard.dev/wait is "no": write "true" or "false", in quotes`}},
		"to expose in capitals":         {pod(annotated(v1alpha1.AnnotationExposeCertificate, "True")), ready(), []string{`lanyard.dev/expose-certificate is "True": write "true"`}},
		"CPU that is none":              {pod(annotated(v1alpha1.AnnotationSidecarCPU, "a lot")), ready(), []string{`lanyard.dev/sidecar-cpu is "a lot": write a quantity above zero, for example 20m`}},
		"less than no memory":           {pod(annotated(v1alpha1.AnnotationSidecarMemory, "-1Mi")), ready(), []string{`lanyard.dev/sidecar-memory is "-1Mi"`}},
		"settings with an unknown field": {pod(annotated(v1alpha1.AnnotationConfig, "resource: []")), ready(), []string{
			"the annotation lanyard.dev/config: ", "resource",
		}},
		"an upstream in plain": {pod(annotated(v1alpha1.AnnotationConfig, "upstreams: [{port: 9470, url: http://x, resource: api://x}]")), ready(), []string{
			"the annotation lanyard.dev/config: upstreams[0]", "https",
		}},

		"the node's network":   {pod(func(p *corev1.Pod) { p.Spec.HostNetwork = true }), ready(), []string{"spec.hostNetwork is true", "leave hostNetwork out"}},
		"the node's processes": {pod(func(p *corev1.Pod) { p.Spec.HostPID = true }), ready(), []string{"spec.hostPID is true"}},
		"one process namespace": {pod(func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = new(true) }), ready(), []string{
			"spec.shareProcessNamespace is true", "/proc", "lanyard.dev/expose-certificate",
		}},
		"Windows": {pod(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }), ready(), []string{"for Windows"}},
		"Windows by its node": {pod(func(p *corev1.Pod) {
			p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"}
		}), ready(), []string{"for Windows"}},
		"a static pod": {pod(annotated(corev1.MirrorPodAnnotationKey, "x")), ready(), []string{"this is a static pod"}},

		"a container of the sidecar's name": {pod(func(p *corev1.Pod) { p.Spec.Containers[0].Name = "lanyard-sidecar" }), ready(), []string{
			"a container is called lanyard-sidecar",
		}},
		"an init container of that name": {pod(func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "lanyard-sidecar"}}
		}), ready(), []string{"a container is called lanyard-sidecar"}},
		"a volume of Lanyard's name": {pod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: "lanyard-tokens"}} }), ready(), []string{
			"a volume is called lanyard-tokens",
		}},
		"a volume of an upstream's name": {pod(func(p *corev1.Pod) { p.Spec.Volumes = []corev1.Volume{{Name: "lanyard-upstream-x"}} }), ready(), []string{
			"a volume is called lanyard-upstream-x",
		}},
		"a mount of the certificate":  {pod(mounts("lanyard-certificate", "/etc/tls")), ready(), []string{"the container app mounts the volume lanyard-certificate, which is Lanyard's"}},
		"a mount of the tokens":       {pod(mounts("lanyard-tokens", "/tokens")), ready(), []string{"tokens are in /var/run/lanyard without it"}},
		"a mount where tokens are":    {pod(mounts("data", "/var/run/lanyard")), ready(), []string{"mounts data at /var/run/lanyard, where Lanyard puts tokens"}},
		"a mount by the other name":   {pod(mounts("data", "/run/lanyard/")), ready(), []string{"mounts data at /run/lanyard/"}},
		"a mount among the tokens":    {pod(mounts("data", "/var/run/lanyard/tokens")), ready(), []string{"mounts data at /var/run/lanyard/tokens"}},
		"the endpoint's port":         {pod(declares(corev1.ContainerPort{ContainerPort: 9466})), ready(), []string{"declares port 9466, which Lanyard's sidecar needs for its token endpoint"}},
		"the metrics' port":           {pod(declares(corev1.ContainerPort{ContainerPort: 9467, Protocol: "TCP"})), ready(), []string{"declares port 9467"}},
		"the metrics' name of a port": {pod(declares(corev1.ContainerPort{ContainerPort: 1, Name: "lanyard-metrics"})), ready(), []string{"calls a port lanyard-metrics"}},
		"an upstream's port":          {pod(annotated(v1alpha1.AnnotationConfig, config), declares(corev1.ContainerPort{ContainerPort: 9470})), ready(), []string{"declares port 9470, which the annotation lanyard.dev/config gives to the upstream https://orders.orders.svc:8443"}},
		"a mark of one's own":         {pod(labelled("checkout")), ready(), []string{"the label lanyard.dev/admitted is for Lanyard to write"}},
		"another client than the mark's": {pod(labelled("orders"), func(p *corev1.Pod) {
			p.Spec.InitContainers = []corev1.Container{{Name: "lanyard-sidecar"}}
		}), ready(), []string{`the label lanyard.dev/admitted is "orders"`, `not "checkout"`, "a copy of one that runs"}},
		"a marked pod whose app mounts the certificate": {func() *corev1.Pod {
			p := injected(t)
			p.Spec.Containers[0].VolumeMounts = append(p.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "lanyard-certificate", MountPath: "/x"})
			return p
		}(), ready(), []string{"mounts the volume lanyard-certificate"}},

		"another service account": {pod(func(p *corev1.Pod) { p.Spec.ServiceAccountName = "" }), ready(), []string{
			"spec.serviceAccountName is default, and OAuthClient shop/checkout lists checkout: write serviceAccountName: checkout",
		}},
		"a client with secrets only": {pod(), Known{Client: oauthClient(func(c *v1alpha1.OAuthClient) {
			c.Spec.Authentication = v1alpha1.ClientAuthentication{ClientSecret: &v1alpha1.ClientSecretCredential{}}
		})}, []string{"lists no way to authenticate that the sidecar knows", "serviceAccounts: [{name: checkout}]"}},
		"several certificates": {pod(), Known{Client: oauthClient(), Certificates: []*v1alpha1.ClientCertificate{issued("b", "checkout"), issued("a", "checkout")}}, []string{
			"several ClientCertificates (a, b)", "lanyard.dev/certificate: a",
		}},
		"another client's certificate": {pod(annotated(v1alpha1.AnnotationCertificate, "x")), Known{Client: oauthClient(), Named: issued("x", "orders")}, []string{
			"lanyard.dev/certificate is x, which is pinned to OAuthClient orders and not to checkout",
		}},
		"a certificate without its key": {pod(), func() Known {
			k := ready()
			k.Certificates[0].Spec.Issuance, k.Certificates[0].Spec.PEM = nil, "x"
			return k
		}(), []string{"says nothing of where the private key is", "lanyard.dev/certificate-secret"}},
		"another Secret than the certificate's": {pod(annotated(v1alpha1.AnnotationCertificateSecret, "other")), ready(), []string{
			"lanyard.dev/certificate-secret is other, and ClientCertificate shop/checkout has its key in the Secret checkout-key",
		}},
		"to expose what is not there": {pod(annotated(v1alpha1.AnnotationExposeCertificate, "true")), Known{Client: oauthClient(func(c *v1alpha1.OAuthClient) {
			c.Spec.TokenBinding = v1alpha1.TokenBindingNone
		})}, []string{"lanyard.dev/expose-certificate is \"true\", and OAuthClient shop/checkout has no ClientCertificate"}},
	}
}
