package demo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

// declareSteps: who may call what is declared with kubectl apply, by the teams themselves.
func declareSteps() []step {
	return []step{
		{
			chapter: "Declared: who may call what",
			title:   "Alice of the orders team declares its API, and a role on it",
			text: "Here and below, a line that begins with KUBECONFIG=... is typed by that person, with no more than that person's " +
				"permissions. A ProtectedResource is an API: tokens for api://orders are meant for it alone. An AppRole is a permission on " +
				"it, which the API looks for in tokens.",
			want: "both are Ready",
			do:   (*story).declareAPI,
		},
		{
			title: "Bob of the shop team declares its client and its certificate",
			text: "An OAuthClient says who may ask for tokens and how it proves itself: here, the service account checkout, or a " +
				"certificate. A ClientCertificate has cert-manager make a certificate, and Lanyard pins that one certificate to the " +
				"client. No password, no shared secret: the key stays in the Secret that the pod mounts, and Lanyard " +
				"does not read it.",
			want: "client and certificate are Ready, under 2 s after kubectl apply; the role is asked for, and not granted",
			do:   (*story).declareClient,
		},
	}
}

// The objects of the story.
const (
	shop     = "shop"
	orders   = "orders"
	clientID = "shop/checkout"
	scope    = "api://orders/.default"
)

// Files of the story in the state folder.
const (
	checkout      = "client" // folder of the certificate of the client checkout
	packing       = "packing"
	assertionFile = "client/assertion.jwt"
	tokenFile     = "client/access-token"
)

// The samples that the teams apply.
const (
	apiSample      = "config/samples/20-orders-api.yaml"
	clientSample   = "config/samples/30-checkout-client.yaml"
	approvalSample = "config/samples/40-orders-approval.yaml"
)

func (s *story) declareAPI(ctx context.Context) error {
	return s.as(alice).showAll(ctx,
		[]string{"apply", "-f", apiSample},
		[]string{"wait", "--for=condition=Ready", "--timeout=30s", "-f", apiSample},
		[]string{"get", "-n", "orders", "protectedresources,approles"},
	)
}

func (s *story) declareClient(ctx context.Context) error {
	begun := time.Now()
	if err := s.as(bob).showKubectl(ctx, "apply", "-f", clientSample); err != nil {
		return err
	}
	applied := time.Since(begun)
	var pin string
	err := eventually(ctx, func(ctx context.Context) (err error) {
		pin, err = s.pinned(ctx, "checkout")
		return err
	})
	took := time.Since(begun)
	if err != nil {
		return err
	}
	err = s.as(bob).showAll(ctx,
		[]string{"wait", "--for=condition=Ready", "--timeout=30s", "-n", shop, "oauthclient/checkout", "clientcertificate/checkout"},
		[]string{"wait", "--for=condition=RolesGranted=False", "--timeout=30s", "-n", shop, "oauthclient/checkout"},
		[]string{"get", "-n", shop, "oauthclients,clientcertificates"},
	)
	if err != nil {
		return err
	}
	if err := s.exportPinned(ctx, pin); err != nil {
		return err
	}
	s.tell.line("The certificate was made and pinned %s after kubectl apply began (kubectl itself took %s of that).",
		took.Round(time.Millisecond), applied.Round(time.Millisecond))
	s.tell.line("Certificate and key now stand in %s, as a pod would mount them.", s.typed(checkout))
	if took-applied > 2*time.Second { // how fast kubectl itself is, on a busy machine, is not Lanyard's
		return fmt.Errorf("it took %s more than kubectl itself", took-applied)
	}
	return nil
}

// exportPinned writes checkout's certificate and key to files, and checks that it is the pinned
// one. cert-manager may have issued a second time meanwhile: then another is pinned a moment later.
func (s *story) exportPinned(ctx context.Context, pin string) error {
	if err := s.exportSecret(ctx, shop, "checkout-mtls", checkout); err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) error {
		thumbprint, err := s.thumbprint(checkout)
		if err != nil || thumbprint == pin {
			return err
		}
		if pin, err = s.pinned(ctx, "checkout"); err != nil {
			return err
		}
		if thumbprint != pin {
			return errors.Join(
				fmt.Errorf("pinned is %s, and the certificate in the Secret was %s", pin, thumbprint),
				s.exportSecret(ctx, shop, "checkout-mtls", checkout),
			)
		}
		return nil
	})
}

// pinned returns the thumbprint of a ClientCertificate's current pin once it is Ready.
func (s *story) pinned(ctx context.Context, name string) (string, error) {
	var certificate v1alpha1.ClientCertificate
	if err := s.kube.Get(ctx, client.ObjectKey{Namespace: shop, Name: name}, &certificate); err != nil {
		return "", err
	}
	ready := meta.FindStatusCondition(certificate.Status.Conditions, v1alpha1.ConditionReady)
	if ready == nil {
		return "", fmt.Errorf("the ClientCertificate %s has no condition Ready; does the controller run?", name)
	}
	for _, pin := range certificate.Status.Pins {
		if pin.State == v1alpha1.PinCurrent && meta.IsStatusConditionTrue(certificate.Status.Conditions, v1alpha1.ConditionReady) {
			return pin.Thumbprint, nil
		}
	}
	return "", fmt.Errorf("the ClientCertificate %s has no certificate yet: %s: %s", name, ready.Reason, ready.Message)
}

// requestAssertion has Kubernetes make a token for the pod <account>-0, for the issuer, and
// keeps it in a file. It says that the pod runs, as the kubelet would.
func (s *story) requestAssertion(ctx context.Context, namespace, account, duration, file string) error {
	pod := account + "-0"
	err := s.showKubectl(ctx, "patch", "-n", namespace, "pod", pod, "--subresource=status", "-p", `{"status":{"phase":"Running"}}`)
	if err != nil {
		return err
	}
	args := []string{
		"create", "token", account, "-n", namespace, "--audience=" + s.issuer, "--duration=" + duration,
		"--bound-object-kind=Pod", "--bound-object-name=" + pod,
	}
	s.tell.command("kubectl " + shellWords(args) + " > " + s.typed(file))
	token, err := s.kubectl(ctx, args...)
	if err != nil {
		return err
	}
	return writeIfChanged(s.path(file), trimmed(token))
}

// reset removes the objects of an earlier telling, and waits until they are gone. The order
// matters: a Certificate that outlived its ClientCertificate would fill its Secret again, and
// a ClientCertificate never takes a Secret that is older than itself.
func (s *story) reset(ctx context.Context) error {
	told := s.path("told")
	if _, err := os.Stat(told); errors.Is(err, fs.ErrNotExist) {
		return os.WriteFile(told, nil, 0o600)
	}
	s.tell.line("the story was told here before: removing its objects")
	return s.tell.working("removing", func() error {
		// A step must never succeed with what an earlier telling was given.
		if err := errors.Join(os.RemoveAll(s.path(checkout)), os.RemoveAll(s.path(packing)), os.RemoveAll(s.path(ordersAPI))); err != nil {
			return err
		}
		for _, args := range [][]string{
			{"-n", shop, "clientcertificates", "checkout", "packing"},
			{"-n", shop, "certificates", "checkout", "packing", "--cascade=foreground"},
			{"-n", shop, "secrets", "checkout-mtls", "packing-mtls"},
			{"-n", shop, "oauthclients", "checkout", "packing"},
			{"-n", shop, "pods", "checkout-0", "packing-0"},
			{"-n", orders, "oauthclients/orders-api", "pods/orders-api-0"},
			{"-n", orders, "approleassignments/" + assignment, "approleassignments/checkout-reads-orders", "approles/orders-read", "protectedresources/orders"},
			{"-n", "payments", "protectedresources", "payments"},
		} {
			if _, err := s.kubectl(ctx, append([]string{"delete", "--ignore-not-found"}, args...)...); err != nil {
				return err
			}
		}
		return nil
	})
}
