package plugin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

// answer is what the issuer answers a token request with.
type answer struct {
	ErrorCodes []int  `json:"error_codes"`
	TraceID    string `json:"trace_id"`
}

// number is the first of its numbers; 0: a token.
func (a answer) number() int {
	if len(a.ErrorCodes) == 0 {
		return 0
	}
	return a.ErrorCodes[0]
}

// ask sends a token request, with a certificate unless its files are empty.
func (i *issuer) ask(ctx context.Context, certificate, key string, form url.Values) (answer, error) {
	config := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12, ServerName: strings.TrimPrefix(testenv.IssuerURL, "https://")}
	ca, err := os.ReadFile(i.CAFile)
	if err != nil {
		return answer{}, err
	}
	config.RootCAs.AppendCertsFromPEM(ca)
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			return answer{}, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", i.Address)
	}
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: config, DialContext: dial}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, testenv.IssuerURL+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := c.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	var a answer
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

// stranger makes a certificate that nobody has pinned.
func stranger(t *testing.T) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "checkout"},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	check(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	check(t, err)
	dir := t.TempDir()
	certificate, key = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	check(t, os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	check(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	return certificate, key
}

// assertion is the token that the kubelet would mount into a pod.
func (w *world) assertion(t *testing.T, account, pod string) string {
	t.Helper()
	p := &corev1.Pod{}
	check(t, env.Client.Get(t.Context(), client.ObjectKey{Namespace: w.shop, Name: pod}, p))
	tr := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{testenv.IssuerURL},
		BoundObjectRef: &authenticationv1.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: pod, UID: p.UID},
	}}
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: account}}
	check(t, env.Client.SubResource("token").Create(t.Context(), sa, tr))
	return tr.Status.Token
}

// trial is a request in two forms: as a workload sends it, and as a person asks about it.
type trial struct {
	// byCertificate says that the certificate of the connection proves the client; else a
	// pod's token does.
	byCertificate bool
	certificate   string // own, other, or empty for none
	form          url.Values
	args          []string
}

// What why says is what the issuer does.
func TestWhyAgreesWithTheIssuer(t *testing.T) {
	w := newWorld(t, "agree")
	i := startIssuer(t)
	w.pod(t, "checkout", "checkout-1")
	token := w.assertion(t, "checkout", "checkout-1")
	admin := env.Kubeconfig(t, "admin", "system:masters")
	ownCert, ownKey := w.pair(t)
	otherCert, otherKey := stranger(t)

	mtls := trial{byCertificate: true, certificate: "own"}
	asPod := trial{certificate: "own"}
	with := func(tr trial, certificate string, args ...string) trial {
		tr.certificate, tr.args = certificate, args
		return tr
	}
	say := func(tr trial, parameter, value string, args ...string) trial {
		tr.form, tr.args = url.Values{parameter: {value}}, append(tr.args, args...)
		return tr
	}
	agree := func(situation string, want int, tr trial) {
		t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {w.resource.Spec.Identifier + "/.default"}, "client_id": {w.shop + "/checkout"}}
		args := []string{"why", w.shop + "/checkout", w.resource.Spec.Identifier, "-o", "json"}
		maps.Copy(form, tr.form)
		var cert, key string
		switch tr.certificate {
		case "own":
			cert, key = ownCert, ownKey
		case "other":
			cert, key = otherCert, otherKey
		}
		if cert == "" {
			args = append(args, "--no-cert")
		} else {
			args = append(args, "--cert", cert)
		}
		if !tr.byCertificate {
			form.Set("client_assertion", token)
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			args = append(args, "--pod", "checkout-1")
		} else {
			args = append(args, "--auth-method", "tls_client_auth")
		}
		o := run(t, admin, append(args, tr.args...)...)
		var said struct {
			Refusal struct {
				Number int `json:"number"`
			} `json:"refusal"`
			Outcome string `json:"outcome"`
		}
		if err := json.Unmarshal([]byte(o.stdout), &said); err != nil {
			t.Fatalf("%s: %v\n%s", situation, err, o.text())
		}
		if said.Refusal.Number != want || (said.Outcome == "Granted") != (want == 0) || (o.code == 0) != (want == 0) {
			t.Errorf("%s: why says %d, want %d\n%s", situation, said.Refusal.Number, want, o.text())
		}
		// The issuer hears of changes a little later than why, which reads them.
		testenv.Eventually(t, func(ctx context.Context) error {
			a, err := i.ask(ctx, cert, key, form)
			if err == nil && a.number() != want {
				err = fmt.Errorf("%s: the issuer says %v, why %d", situation, a.number(), want)
			}
			return err
		})
	}

	agree("a role that waits", 30001, mtls)
	denial := w.decide(t, "not-checkout", v1alpha1.DecisionDenied, nil)
	agree("a role that was denied", 30001, mtls)
	remove(t, denial)
	w.approve(t)

	agree("a token by certificate", 0, mtls)
	agree("a token for a pod", 0, asPod)
	agree("a certificate of nobody", 20001, with(mtls, "other"))
	agree("a pod with a certificate of nobody", 40003, with(asPod, "other"))
	agree("a pod without a certificate", 40001, with(asPod, ""))
	agree("a role that it does not ask for", 30001, say(mtls, "scope", w.resource.Spec.Identifier+"/Orders.Write.All", "--scope", "Orders.Write.All"))
	agree("a scope that cannot be read", 30003, say(mtls, "scope", w.resource.Spec.Identifier+"/.default "+w.resource.Spec.Identifier+"/A", "--scope", ".default A"))
	agree("too short a life", 30007, say(mtls, "scope", w.resource.Spec.Identifier+"/.default urn:opc:resource:expiry=5", "--scope", ".default urn:opc:resource:expiry=5"))
	agree("a grant that is not listed", 20005, say(mtls, "grant_type", "tls_client_auth", "--grant-type", "tls_client_auth"))
	agree("the type mtls_pop", 0, say(mtls, "token_type", "mtls_pop", "--token-type", "mtls_pop"))

	change(t, w.client, func() { w.client.Spec.Suspend = true })
	agree("a suspended client", 20001, mtls)
	change(t, w.client, func() { w.client.Spec.Suspend = false })
	change(t, w.resource, func() { w.resource.Spec.Suspend = true })
	agree("a suspended resource", 30008, mtls)
	change(t, w.resource, func() { w.resource.Spec.Suspend = false })
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.shop}}
	change(t, ns, func() { ns.Annotations = map[string]string{v1alpha1.AnnotationSuspend: "true"} })
	agree("a suspended namespace", 20001, mtls)
	change(t, ns, func() { ns.Annotations = nil })

	change(t, w.client, func() { w.client.Spec.TokenBinding = v1alpha1.TokenBindingNone })
	agree("bound to nothing, where tokens must be bound", 40002, with(asPod, ""))
	change(t, w.resource, func() { w.resource.Spec.TokenBindingPolicy = v1alpha1.TokenBindingOptional })
	agree("bound to nothing, where that is allowed", 0, with(asPod, ""))
	agree("bound to nothing, and a binding asked for", 40004, say(mtls, "token_type", "mtls_pop", "--token-type", "mtls_pop"))
	change(t, w.client, func() { w.client.Spec.TokenBinding = v1alpha1.TokenBindingDPoP })
	agree("bound by DPoP, without a proof", 40008, with(asPod, "", "--dpop=false"))
	change(t, w.client, func() { w.client.Spec.TokenBinding = v1alpha1.TokenBindingMTLS })

	change(t, w.certificate, func() {
		w.certificate.Spec.Distrust = []v1alpha1.Thumbprint{v1alpha1.Thumbprint(w.certificate.Status.Pins[0].Thumbprint)}
	})
	agree("a certificate that is distrusted", 20001, mtls)
	agree("a pod with a certificate that is distrusted", 40003, asPod)
	remove(t, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.shop, Name: "checkout-1"}})
	agree("a pod that is gone", 20001, asPod)
}
