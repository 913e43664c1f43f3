package clientcertificate

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

const certManagerName = "system:serviceaccount:cert-manager:cert-manager"

var policy = Policy{AllowedIssuers: []string{"ClusterIssuer/ca"}, CertManagerUsername: certManagerName, TrustDomain: "cluster.local"}

// madePEM makes a certificate that is valid in a time around noon.
func madePEM(tb testing.TB, from, to time.Duration) string {
	tb.Helper()
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		tb.Fatal(err)
	}
	key := keyFor(serial)
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "checkout"},
		NotBefore: noon.Add(from), NotAfter: noon.Add(to), KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// keyFor makes the key of the certificate that madePEM made with serial.
func keyFor(serial *big.Int) ed25519.PrivateKey {
	seed := sha256.Sum256(serial.Bytes())
	return ed25519.NewKeyFromSeed(seed[:])
}

// csr makes the request for the first certificate in text, of madePEM's, or for
// another key if there is none.
func csr(text, uri string) []byte {
	key := keyFor(big.NewInt(1))
	if block, _ := pem.Decode([]byte(text)); block != nil {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			panic(err)
		}
		key = keyFor(certificate.SerialNumber)
	}
	san, err := url.Parse(uri)
	if err != nil {
		panic(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{URIs: []*url.URL{san}}, key)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

const checkoutURI = "spiffe://cluster.local/ns/shop/oauthclient/checkout"

func leafOf(t *testing.T, text string) leaf {
	t.Helper()
	l, err := parsePEM(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// observed is a namespace where everything is in order: an issued ClientCertificate
// that was checked, whose Certificate is at its first revision.
func observed() *observation {
	object := &v1alpha1.ClientCertificate{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", UID: "object", Generation: 1},
		Spec: v1alpha1.ClientCertificateSpec{
			ClientRef: v1alpha1.LocalReference{Name: "checkout"},
			Issuance: &v1alpha1.Issuance{
				IssuerRef:  v1alpha1.IssuerReference{Name: "ca", Kind: "ClusterIssuer", Group: "cert-manager.io"},
				SecretName: "checkout-mtls", PrivateKey: v1alpha1.PrivateKey{Algorithm: "ECDSA", RotationPolicy: "Always"},
			},
			Overlap: &metav1.Duration{Duration: 15 * time.Minute},
		},
	}
	o := &observation{
		now: noon, object: object, certManager: true,
		client:    &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout"}},
		namespace: rules.ParseNamespace("shop", nil, nil),
	}
	o.certificate = policy.final(o)
	o.certificate.UID, o.certificate.Generation = "certificate", 2
	o.certificate.Status.Revision = new(1)
	return o
}

// request is a CertificateRequest that cert-manager made for revision, and that was signed.
func request(revision int, text string) *certmanagerv1.CertificateRequest {
	return &certmanagerv1.CertificateRequest{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "checkout-" + strconv.Itoa(revision),
			Annotations:     map[string]string{certmanagerv1.CertificateRequestRevisionAnnotationKey: strconv.Itoa(revision)},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "cert-manager.io/v1", Kind: "Certificate", Name: "checkout", UID: "certificate", Controller: new(true)}},
		},
		Spec: certmanagerv1.CertificateRequestSpec{
			Request: csr(text, checkoutURI), Username: certManagerName, IssuerRef: cmmeta.IssuerReference{Name: "ca", Kind: "ClusterIssuer", Group: "cert-manager.io"},
		},
		Status: certmanagerv1.CertificateRequestStatus{
			Certificate: []byte(text),
			Conditions:  []certmanagerv1.CertificateRequestCondition{{Type: certmanagerv1.CertificateRequestConditionReady, Status: cmmeta.ConditionTrue}},
		},
	}
}

func checking(o *observation, reason string, generation int64) {
	o.certificate = policy.check(o)
	o.certificate.Generation = 1
	if reason != "" {
		o.certificate.Status.Conditions = []certmanagerv1.CertificateCondition{{
			Type: certmanagerv1.CertificateConditionReady, Status: cmmeta.ConditionFalse, Reason: reason, ObservedGeneration: generation,
		}}
	}
}

// summary writes a decision in a word or two.
func summary(d decision) string {
	name := func(c *certmanagerv1.Certificate) string {
		return fmt.Sprintf("%s checked=%q size=%d", c.Spec.IssuerRef.Kind, c.Annotations[v1alpha1.AnnotationSecretNameChecked], c.Spec.PrivateKey.Size)
	}
	switch {
	case d.refusal.Reason != "":
		return d.refusal.Reason
	case d.create != nil:
		return "create " + name(d.create)
	case d.apply != nil:
		return "apply " + name(d.apply)
	default:
		return "leave"
	}
}

func TestDecide(t *testing.T) {
	other := func(name string, at time.Time) *certmanagerv1.Certificate {
		return &certmanagerv1.Certificate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, CreationTimestamp: metav1.NewTime(at)}}
	}
	tests := map[string]struct {
		given func(*observation)
		want  string
	}{
		"what is as it should be is left":                     {func(*observation) {}, "leave"},
		"a missing client issues nothing":                     {func(o *observation) { o.client = nil }, "ClientNotFound"},
		"no cert-manager":                                     {func(o *observation) { o.certManager = false }, "CertManagerNotInstalled"},
		"PEM needs no cert-manager":                           {func(o *observation) { o.certManager = false; o.object.Spec.Issuance = nil; o.object.Spec.PEM = "x" }, "leave"},
		"a new Certificate is a check first":                  {func(o *observation) { o.certificate = nil }, `create SecretNameCheck checked="" size=0`},
		"a deleted one is made again":                         {func(o *observation) { o.certificate = nil; o.object.Status = checked() }, `create ClusterIssuer checked="checkout-mtls" size=0`},
		"a check waits for cert-manager":                      {func(o *observation) { checking(o, "", 0) }, "leave"},
		"a check that cert-manager saw before a change waits": {func(o *observation) { checking(o, "DoesNotExist", 0) }, "leave"},
		"no Secret of the name":                               {func(o *observation) { checking(o, "DoesNotExist", 1) }, `apply ClusterIssuer checked="checkout-mtls" size=0`},
		"a Secret without certificate":                        {func(o *observation) { checking(o, "MissingData", 1) }, "SecretNameInUse"},
		"a Secret of another Certificate":                     {func(o *observation) { checking(o, "IncorrectCertificate", 1) }, "SecretNameInUse"},
		"a Secret that looks like the check's own":            {func(o *observation) { checking(o, "Ready", 1) }, "SecretNameInUse"},
		"a reason that does not exist yet":                    {func(o *observation) { checking(o, "SomethingNew", 1) }, "SecretNameInUse"},
		"another name of the Secret is checked again":         {func(o *observation) { o.object.Spec.Issuance.SecretName = "b" }, `apply SecretNameCheck checked="" size=0`},
		"what status says of an older spec is not believed": {func(o *observation) {
			o.certificate, o.object.Status, o.object.Generation = nil, checked(), 2
		}, `create SecretNameCheck checked="" size=0`},
		"an annotation for another name is not believed": {func(o *observation) {
			o.certificate.Annotations[v1alpha1.AnnotationSecretNameChecked] = "other"
		}, `apply SecretNameCheck checked="" size=0`},
		"another size":             {func(o *observation) { o.object.Spec.Issuance.PrivateKey.Size = 384 }, `apply ClusterIssuer checked="checkout-mtls" size=384`},
		"a size that is gone":      {func(o *observation) { o.certificate.Spec.PrivateKey.Size = 384 }, `apply ClusterIssuer checked="checkout-mtls" size=0`},
		"a Certificate by hand":    {func(o *observation) { o.foreign, o.certificate = o.certificate, nil }, "CertificateNotOurs"},
		"an issuer of the cluster": {func(o *observation) { o.object.Spec.Issuance.IssuerRef.Name = "other" }, "IssuerNotAllowed"},
		"an issuer of the namespace": {func(o *observation) {
			o.object.Spec.Issuance.IssuerRef = v1alpha1.IssuerReference{Name: "own", Kind: "Issuer", Group: "cert-manager.io"}
			o.namespace = rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationIssuers: "Issuer/own"})
		}, `apply Issuer checked="checkout-mtls" size=0`},
		"an unknown namespace allows none of its own": {func(o *observation) {
			o.object.Spec.Issuance.IssuerRef.Kind, o.namespace = "Issuer", nil
		}, "IssuerNotAllowed"},
		"a Secret of a Certificate that was there before": {func(o *observation) {
			o.certificate, o.rivals = nil, []*certmanagerv1.Certificate{other("theirs", noon)}
		}, "SecretNameInUse"},
		"a younger Certificate wants the Secret too": {func(o *observation) {
			o.certificate.CreationTimestamp = metav1.NewTime(noon)
			o.rivals = []*certmanagerv1.Certificate{other("theirs", noon.Add(time.Second))}
		}, "leave"},
		"an older Certificate wants the Secret too": {func(o *observation) {
			o.certificate.CreationTimestamp = metav1.NewTime(noon)
			o.rivals = []*certmanagerv1.Certificate{other("theirs", noon.Add(-time.Second))}
		}, "SecretNameInUse"},
		"a Certificate to adopt that is missing": {func(o *observation) {
			o.object.Spec.Issuance, o.certificate, o.object.Spec.CertificateRef = nil, nil, &v1alpha1.LocalReference{Name: "own"}
		}, "CertificateNotFound"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observed()
			test.given(o)
			if got := summary(policy.decide(o)); got != test.want {
				t.Errorf("decision: %s; want %s", got, test.want)
			}
		})
	}
}

// checked is the status of an object whose Secret is known to be its own.
func checked() v1alpha1.ClientCertificateStatus {
	return v1alpha1.ClientCertificateStatus{SecretName: "checkout-mtls", ObservedGeneration: 1}
}

func TestLongNamesStandWhereTheyFit(t *testing.T) {
	o := observed()
	long := strings.Repeat("x", 64)
	o.client.Name, o.object.Name, o.object.Spec.ClientRef.Name = long, long, long
	c := policy.final(o)
	if c.Spec.CommonName != "" || len(c.Labels) != 0 {
		t.Errorf("commonName %q, labels %v; want none: both are too long", c.Spec.CommonName, c.Labels)
	}
	if want := "spiffe://cluster.local/ns/shop/oauthclient/" + long; c.Spec.URIs[0] != want {
		t.Errorf("URI %s; want %s", c.Spec.URIs[0], want)
	}
}

// Whoever may have certificates made could otherwise have any name of another's signed
// while the webhook that refuses it is away.
func TestRefusesAClientIDOfOthersInACertificate(t *testing.T) {
	for sentence, test := range map[string]struct{ allowed, want string }{
		"not allowed": {"", ""},
		"another's":   {"legacy-2", ""},
		"allowed":     {"legacy-*", "legacy-1"},
	} {
		t.Run(sentence, func(t *testing.T) {
			o := observed()
			o.client.Spec.ClientID = "legacy-1"
			o.namespace = rules.ParseNamespace("shop", nil, map[string]string{v1alpha1.AnnotationClientIDs: test.allowed})
			if got := policy.final(o).Spec.CommonName; got != test.want {
				t.Errorf("commonName %q; want %q", got, test.want)
			}
		})
	}
}

func TestOnlyGenuineRequestsAreSeen(t *testing.T) {
	text := madePEM(t, -time.Hour, time.Hour)
	tests := map[string]struct {
		change func(*certmanagerv1.CertificateRequest)
		seen   bool
	}{
		"cert-manager's own":                {func(*certmanagerv1.CertificateRequest) {}, true},
		"made by a user":                    {func(r *certmanagerv1.CertificateRequest) { r.Spec.Username = "mallory" }, false},
		"made by nobody":                    {func(r *certmanagerv1.CertificateRequest) { r.Spec.Username = "" }, false},
		"of a Certificate with another UID": {func(r *certmanagerv1.CertificateRequest) { r.OwnerReferences[0].UID = types.UID("former") }, false},
		"owned but not controlled":          {func(r *certmanagerv1.CertificateRequest) { r.OwnerReferences[0].Controller = nil }, false},
		"owned by another kind":             {func(r *certmanagerv1.CertificateRequest) { r.OwnerReferences[0].Kind = "Pod" }, false},
		"owned by another group's kind":     {func(r *certmanagerv1.CertificateRequest) { r.OwnerReferences[0].APIVersion = "example.com/v1" }, false},
		"owned by nobody":                   {func(r *certmanagerv1.CertificateRequest) { r.OwnerReferences = nil }, false},
		"of the revision after next": {func(r *certmanagerv1.CertificateRequest) {
			r.Annotations[certmanagerv1.CertificateRequestRevisionAnnotationKey] = "3"
		}, false},
		"of no revision": {func(r *certmanagerv1.CertificateRequest) { r.Annotations = nil }, false},
		"of a negative revision": {func(r *certmanagerv1.CertificateRequest) {
			r.Annotations[certmanagerv1.CertificateRequestRevisionAnnotationKey] = "-1"
		}, false},
		"moved from another Certificate":            {func(r *certmanagerv1.CertificateRequest) { r.Name = "packing-1" }, false},
		"moved to another revision":                 {func(r *certmanagerv1.CertificateRequest) { r.Name = "checkout-2" }, false},
		"of a name that cert-manager does not give": {func(r *certmanagerv1.CertificateRequest) { r.Name = "checkout-x7k2p" }, false},
		"made before the Certificate": {func(r *certmanagerv1.CertificateRequest) {
			r.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour - time.Second))
		}, false},
		"made with the Certificate": {func(r *certmanagerv1.CertificateRequest) { r.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour)) }, true},
		"being deleted":             {func(r *certmanagerv1.CertificateRequest) { r.DeletionTimestamp = &metav1.Time{Time: noon} }, false},
		"for another key":           {func(r *certmanagerv1.CertificateRequest) { r.Spec.Request = csr("", checkoutURI) }, false},
		"for no key":                {func(r *certmanagerv1.CertificateRequest) { r.Spec.Request = nil }, false},
		"for a broken key":          {func(r *certmanagerv1.CertificateRequest) { r.Spec.Request = r.Spec.Request[40:] }, false},
		"for another client":        {func(r *certmanagerv1.CertificateRequest) { r.Spec.Request = csr(text, checkoutURI+"-b") }, false},
		"of an issuer that is allowed and not wanted": {func(r *certmanagerv1.CertificateRequest) { r.Spec.IssuerRef.Name = "ca-b" }, false},
		"of the wanted issuer, its group left out":    {func(r *certmanagerv1.CertificateRequest) { r.Spec.IssuerRef.Group = "" }, true},
		"not signed yet": {func(r *certmanagerv1.CertificateRequest) { r.Status.Conditions = nil }, false},
		"denied": {func(r *certmanagerv1.CertificateRequest) {
			r.Status.Conditions = append(r.Status.Conditions, deniedCondition)
		}, false},
		"without certificate":                   {func(r *certmanagerv1.CertificateRequest) { r.Status.Certificate = nil }, false},
		"of an issuer that is not allowed":      {func(r *certmanagerv1.CertificateRequest) { r.Spec.IssuerRef.Name = "other" }, false},
		"with the chain behind the leaf":        {func(r *certmanagerv1.CertificateRequest) { r.Status.Certificate = []byte(text + madePEM(t, 0, 1)) }, true},
		"with something that is no certificate": {func(r *certmanagerv1.CertificateRequest) { r.Status.Certificate = []byte("none") }, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := observed()
			o.certificate.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))
			r := request(1, text)
			r.CreationTimestamp = metav1.NewTime(noon)
			test.change(r)
			if _, err := StripUnused(r); err != nil { // what is needed must be in the cache
				t.Fatal(err)
			}
			o.requests = []*certmanagerv1.CertificateRequest{r}
			p := policy
			p.AllowedIssuers = append(p.AllowedIssuers, "ClusterIssuer/ca-b")
			s := p.see(o)
			if seen := s.current != nil; seen != test.seen || s.next != nil {
				t.Errorf("current %v, next %v; want it seen as current: %t", s.current, s.next, test.seen)
			}
			if s.current != nil && s.current.thumbprint != leafOf(t, text).thumbprint {
				t.Error("another certificate than the leaf was seen")
			}
		})
	}
}

var deniedCondition = certmanagerv1.CertificateRequestCondition{Type: certmanagerv1.CertificateRequestConditionDenied, Status: cmmeta.ConditionTrue}

// What cert-manager really does is shown by TestPinsTheCertificateOfALongName.
func TestRequestName(t *testing.T) {
	long := strings.Repeat("a", 167) + "." + strings.Repeat("b", 80)
	tests := map[string]struct {
		certificate string
		revision    int64
		want        string
	}{
		"a short name":             {"checkout", 12, "checkout-12"},
		"the longest that is kept": {strings.Repeat("a", 233), 1, strings.Repeat("a", 233) + "-1"},
		"a longer one is hashed, and never cut after a dot": {
			long, 1, strings.Repeat("a", 167) + fmt.Sprintf("-%x-1", sha256.Sum256([]byte(long))),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := requestName(test.certificate, test.revision); got != test.want {
				t.Errorf("%s; want %s", got, test.want)
			}
		})
	}
}

// Whoever may create CertificateRequests writes what is read.
func FuzzSigningRequest(f *testing.F) {
	good := csr("", checkoutURI)
	for _, seed := range [][]byte{nil, good, good[:60], []byte("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &certmanagerv1.CertificateRequest{Spec: certmanagerv1.CertificateRequestSpec{Request: text}}
		if signing := signingRequest(r); signing != nil {
			_ = uris(signing)
		} else if keyOf(r) != nil {
			t.Error("a key of no request")
		}
	})
}

// cert-manager does not hear of the end of every Secret: it is made to look again,
// soon at first and less often later, and not at every reconciliation.
func TestATakenSecretNameIsLookedAtAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		taken, looked time.Duration // ago; zero: never
		looks         bool
		again         time.Duration
	}{
		"just found out":             {0, 0, true, lookSoonest},
		"looked at a moment ago":     {4 * time.Second, time.Second, false, lookSoonest},
		"and a little later":         {8 * time.Second, 5 * time.Second, true, lookSoonest},
		"taken for minutes":          {2 * time.Minute, 10 * time.Second, false, 30 * time.Second},
		"taken for minutes, and due": {2 * time.Minute, 31 * time.Second, true, 30 * time.Second},
		"taken for days":             {48 * time.Hour, time.Minute, false, lookLatest},
	} {
		t.Run(name, func(t *testing.T) {
			o := observed()
			checking(o, "MissingData", 1)
			if tc.taken > 0 {
				o.object.Status.Conditions = status.Ready(nil, refused(v1alpha1.ReasonSecretNameInUse, ""), 1, o.now.Add(-tc.taken))
			}
			if tc.looked > 0 {
				o.certificate.Annotations = map[string]string{v1alpha1.AnnotationSecretNameLookedAt: o.now.Add(-tc.looked).UTC().Format(time.RFC3339)}
			}
			d := policy.decide(o)
			if d.refusal.Reason != v1alpha1.ReasonSecretNameInUse || (d.apply != nil) != tc.looks || d.again != tc.again {
				t.Errorf("refused %q, looks %t, again in %s; want %t, %s", d.refusal.Reason, d.apply != nil, d.again, tc.looks, tc.again)
			}
			if d.apply != nil && d.apply.Spec.IssuerRef != checkIssuer {
				t.Errorf("looks with the issuer %v", d.apply.Spec.IssuerRef)
			}
		})
	}
}
