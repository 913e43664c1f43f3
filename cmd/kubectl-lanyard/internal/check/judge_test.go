package check

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	certmanagerv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/jose"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const issuerURL = "https://lanyard-issuer.lanyard-system.svc"

func TestJudgements(t *testing.T) {
	certificate := func(ready cmmeta.ConditionStatus, ends time.Duration) *certmanagerv1.Certificate {
		end := metav1.NewTime(noon.Add(ends))
		return &certmanagerv1.Certificate{Status: certmanagerv1.CertificateStatus{
			NotAfter: &end, Conditions: []certmanagerv1.CertificateCondition{{Type: certmanagerv1.CertificateConditionReady, Status: ready, Message: "why"}},
		}}
	}
	deployment := func(want, have int32) *appsv1.Deployment {
		return &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &want}, Status: appsv1.DeploymentStatus{AvailableReplicas: have, UpdatedReplicas: have}}
	}
	lease := func(holder string, ago time.Duration) *coordinationv1.Lease {
		renewed := metav1.NewMicroTime(noon.Add(-ago))
		return &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &renewed, LeaseDurationSeconds: new(int32(15))}}
	}
	good := `{"issuer":"` + issuerURL + `","token_endpoint":"` + issuerURL + `/t","introspection_endpoint":"` + issuerURL + `/i","revocation_endpoint":"` + issuerURL + `/r","jwks_uri":"` + issuerURL + `/k"}`
	gone := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop")
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "oauthclients"}, "x", errors.New("no"))

	parameters := func(images, audience string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-sidecar"}, Data: map[string]string{"images": images, "audience": audience}}
	}
	mark := func(images, audience string) object {
		return object{"spec": object{"variables": []any{object{"name": "images", "expression": images}, object{"name": "audience", "expression": audience}}}}
	}
	roots := func(pem string, labels map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "lanyard-ca", Labels: labels}, Data: map[string]string{"ca.crt": pem}}
	}
	ours := map[string]string{"app.kubernetes.io/managed-by": "lanyard"}

	tests := map[string]struct {
		got  Result
		want Verdict
		says string
	}{
		"an image of the sidecar":              {judgeImages(parameters("lanyard:1", issuerURL), issuerURL, false), OK, "one of 1: lanyard:1"},
		"two while they change":                {judgeImages(parameters("lanyard:2  lanyard:1", issuerURL), issuerURL, false), OK, "one of 2: lanyard:2, lanyard:1"},
		"no image of the sidecar":              {judgeImages(parameters(" ", issuerURL), issuerURL, false), Fail, "names no image"},
		"another issuer's pods":                {judgeImages(parameters("lanyard:1", "https://other"), issuerURL, false), Warn, "the issuer https://other"},
		"an issuer that was guessed":           {judgeImages(parameters("lanyard:1", "https://other"), issuerURL, true), OK, "lanyard:1"},
		"a policy that accepts the same":       {judgeLists(mark("'lanyard:1 lanyard:2'.split(' ')", "'"+issuerURL+"'"), parameters("lanyard:1 lanyard:2", issuerURL)), OK, "agree"},
		"a policy that accepts another image":  {judgeLists(mark("'lanyard:1'.split(' ')", "'"+issuerURL+"'"), parameters("lanyard:2", issuerURL)), Fail, `has "lanyard:1" in its variable images, and ConfigMap lanyard-system/lanyard-sidecar says "lanyard:2"`},
		"a policy of another issuer":           {judgeLists(mark("'lanyard:1'.split(' ')", "'https://other'"), parameters("lanyard:1", issuerURL)), Fail, `"https://other" in its variable audience`},
		"no roots, and no client":              {judgeNoRoots(0, "shop"), OK, "none are needed"},
		"no roots, and clients":                {judgeNoRoots(2, "shop"), Warn, "there is no ConfigMap shop/lanyard-ca"},
		"roots that are none":                  {judgeRoots(roots("x", ours), noon), Fail, "no certificate that is valid now"},
		"roots of somebody else that are none": {judgeRoots(roots("x", nil), noon), Fail, "which is not Lanyard's, holds no"},
		"pods that have the sidecar":           {judgePods(3, nil), OK, "3 ask"},
		"pods that have none":                  {judgePods(3, []string{"d", "c", "b", "a"}), Warn, "4 of 7 that ask for the sidecar have none: a, b, c and 1 more"},
		"a version that is new enough":         {judgeVersion("Kubernetes", "v1.33.0", 33), OK, "v1.33.0"},
		"a version of somebody's own":          {judgeVersion("Kubernetes", "v1.36.3-gke.100", 33), OK, "v1.36.3-gke.100"},
		"a version with a plus":                {judgeVersion("Kubernetes", "v1.34+", 33), OK, "v1.34+"},
		"a version that is too old":            {judgeVersion("Kubernetes", "v1.32.9", 33), Fail, "v1.32.9"},
		"a version that is none":               {judgeVersion("Kubernetes", "latest", 33), Warn, "cannot be read"},
		"clocks that agree":                    {judgeSkew(4*time.Second, "a", "b"), OK, "agrees"},
		"a clock ahead":                        {judgeSkew(10*time.Second, "a", "b"), Warn, "a is 10s ahead of b"},
		"a clock behind":                       {judgeSkew(-10*time.Second, "a", "b"), Warn, "a is 10s behind b"},
		"clocks too far apart":                 {judgeSkew(31*time.Second, "a", "b"), Fail, "more than the 30s"},
		"a certificate":                        {judgeCertificate(certificate(cmmeta.ConditionTrue, 30*24*time.Hour), noon), OK, "in 30d"},
		"one that should have been renewed":    {judgeCertificate(certificate(cmmeta.ConditionTrue, 24*time.Hour), noon), Warn, "in 24h"},
		"one that has expired":                 {judgeCertificate(certificate(cmmeta.ConditionTrue, -time.Hour), noon), Fail, "expired 60m ago"},
		"one that is not Ready":                {judgeCertificate(certificate(cmmeta.ConditionFalse, 30*24*time.Hour), noon), Fail, "not Ready: why"},
		"all pods":                             {judgeDeployment(deployment(2, 2)), OK, "2 of 2"},
		"some pods":                            {judgeDeployment(deployment(2, 1)), Warn, "1 of 2"},
		"no pods":                              {judgeDeployment(deployment(2, 0)), Fail, "none of 2"},
		"scaled to nothing":                    {judgeDeployment(deployment(0, 0)), Fail, "scaled to 0"},
		"a leader":                             {judgeLease(lease("a", 10*time.Second), noon), OK, "a is the leader"},
		"a leader that is gone":                {judgeLease(lease("a", time.Minute), noon), Fail, "since 60s ago"},
		"no leader":                            {judgeLease(lease("", time.Second), noon), Fail, "nobody"},
		"discovery":                            {judgeMetadata(http.StatusOK, []byte(good), issuerURL), OK, "lead to it"},
		"discovery under another name":         {judgeMetadata(http.StatusOK, []byte(good), "https://other"), Fail, "calls itself"},
		"discovery that leads elsewhere":       {judgeMetadata(http.StatusOK, []byte(strings.Replace(good, issuerURL+"/k", "https://evil/k", 1)), issuerURL), Fail, "jwks_uri"},
		"a prefix that is another host":        {judgeMetadata(http.StatusOK, []byte(strings.Replace(good, issuerURL+"/k", issuerURL+".evil/k", 1)), issuerURL), Fail, "jwks_uri"},
		"discovery that is none":               {judgeMetadata(http.StatusNotFound, []byte("<html>"), issuerURL), Fail, "no issuer"},
		"no keys":                              {judgeKeys(http.StatusOK, []byte(`{"keys":[]}`), nil), Fail, "no key"},
		"keys that are none":                   {judgeKeys(http.StatusOK, []byte(`{"keys":[{"kty":"oct","k":"AA","kid":"x"}]}`), nil), Fail, "cannot be read"},
		"keys that are not served":             {judgeKeys(http.StatusServiceUnavailable, nil, nil), Fail, "503"},
		"an algorithm without a key":           {judgeKeys(http.StatusOK, []byte(`{"keys":[`+edKey+`]}`), []jose.Algorithm{jose.ES256}), Warn, "announces ES256"},
		"keys as announced":                    {judgeKeys(http.StatusOK, []byte(`{"keys":[`+edKey+`]}`), []jose.Algorithm{jose.EdDSA}), OK, "1 key is published, for [EdDSA]"},
		"a rotation to come":                   {judgeRotation(map[string]string{v1alpha1.AnnotationNextRotation: "2026-03-05T12:00:00Z"}, noon), OK, "in 4d"},
		"a rotation that is late":              {judgeRotation(map[string]string{v1alpha1.AnnotationNextRotation: "2026-03-01T10:00:00Z"}, noon), Warn, "since 120m ago"},
		"a command that waits":                 {judgeRotation(map[string]string{v1alpha1.AnnotationRotate: "now"}, noon), Warn, "lanyard.dev/rotate"},
		"an annotation that is no time":        {judgeRotation(map[string]string{v1alpha1.AnnotationNextRotation: "soon"}, noon), Warn, "no time"},
		"admission that answers":               {judgeAnswer(nil, "shop"), OK, "could be created"},
		"admission that refuses":               {judgeAnswer(errors.New(`admission webhook "x" denied the request: no`), "shop"), OK, "would refuse"},
		"admission that is down":               {judgeAnswer(apierrors.NewInternalError(errors.New(`failed calling webhook "x": refused`)), "shop"), Fail, "cannot ask the webhooks"},
		"admission that may not be tried":      {judgeAnswer(forbidden, "shop"), Unseen, "may not create clients"},
		"no namespace to try admission in":     {judgeAnswer(gone, "shop"), Unseen, "no namespace shop"},
		"no objects":                           {judgeReady(0, nil, "in namespace shop", "AppRole"), OK, "none in namespace shop"},
		"objects that are Ready":               {judgeReady(3, nil, "in all namespaces", "AppRole"), OK, "3 in all namespaces, all Ready"},
		"objects that are not":                 {judgeReady(9, []string{"a/e", "a/d", "a/c", "a/b: why"}, "in namespace a", "AppRole"), Warn, "4 of 9"},
		"issuers in order":                     {judgeAuthorities(2, 1, 0, nil), OK, "you may not look at 1"},
		"issuers out of order":                 {judgeAuthorities(2, 0, 0, []string{"ClusterIssuer/x is not Ready"}), Warn, "out of order: 1"},
		"a definition that is established":     {established(conditions("Established", "True"), noon), OK, "established"},
		"a definition that is not":             {established(conditions("NamesAccepted", "True"), noon), Fail, "not established"},
		"webhooks without a CA":                {trusted(object{"webhooks": []any{object{"name": "w"}}}, noon), Fail, "w has no caBundle"},
		"webhooks with a CA that is no PEM":    {trusted(object{"webhooks": []any{object{"name": "w", "clientConfig": object{"caBundle": "AAAA"}}}}, noon), Fail, "no caBundle"},
		"the worst of several, and the first":  {worst(ok("a"), warn("", "b"), fail("", "c"), fail("", "d")), Fail, "c"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if test.got.Verdict != test.want || !strings.Contains(test.got.Found, test.says) {
				t.Errorf("%+v; want %s: %s", test.got, test.want, test.says)
			}
		})
	}
}

const edKey = `{"kty":"OKP","crv":"Ed25519","kid":"k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","alg":"EdDSA","use":"sig"}`

func conditions(kind, status string) object {
	return object{"status": object{"conditions": []any{object{"type": kind, "status": status}}}}
}

func TestManifestsAreCompared(t *testing.T) {
	want := object{"a": "x\n", "list": []any{object{"b": 1.0}}, "no": false, "nothing": nil}
	tests := map[string]struct {
		got  object
		path string
	}{
		"the same":                          {object{"a": "x", "list": []any{object{"b": 1.0}}}, ""},
		"with what the API server fills in": {object{"a": "x", "list": []any{object{"b": 1.0, "c": 2.0}}, "d": "e"}, ""},
		"another text":                      {object{"a": "y", "list": []any{object{"b": 1.0}}}, "spec.a"},
		"another number":                    {object{"a": "x", "list": []any{object{"b": 2.0}}}, "spec.list[0].b"},
		"a shorter list":                    {object{"a": "x", "list": []any{}}, "spec.list"},
		"a longer list":                     {object{"a": "x", "list": []any{object{"b": 1.0}, object{}}}, "spec.list"},
		"the opposite":                      {object{"a": "x", "list": []any{object{"b": 1.0}}, "no": true}, "spec.no"},
		"nothing":                           {nil, "spec.a"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if path := missing(want, test.got, "spec"); path != test.path {
				t.Errorf("%q differs, want %q", path, test.path)
			}
		})
	}
}

func TestManifestsOfThisVersion(t *testing.T) {
	for pattern, want := range map[string]int{"crd/bases/*.yaml": 6, "policies/*.yaml": 4, "webhook/*.yaml": 2} {
		files, err := manifests(pattern, "lanyard-system")
		if err != nil || len(files) != want {
			t.Errorf("%s: %d files, %v; want %d", pattern, len(files), err, want)
		}
		for _, file := range files {
			for _, o := range file {
				if nameOf(o) == "" || o["kind"] == nil {
					t.Errorf("%s: an object without kind or name: %v", pattern, o)
				}
			}
		}
	}
}

// The images and the issuer of an installation are no other version.
func TestAnInstallationHasImagesOfItsOwn(t *testing.T) {
	manifest := func() object {
		files, err := manifests("policies/mark.yaml", "lanyard-system")
		if err != nil || len(files) != 1 || nameOf(files[0][0]) != policyMark {
			t.Fatalf("%v, %v", files, err)
		}
		return files[0][0]
	}
	for name, differs := range map[string]string{"images": "", "audience": "", "volumes": "spec.variables[5].expression"} {
		installed := manifest()
		variables, _, _ := unstructured.NestedSlice(installed, "spec", "variables")
		for _, v := range variables {
			if v := v.(object); v["name"] == name {
				v["expression"] = "'registry.example/lanyard:1'.split(' ')"
			}
		}
		if err := unstructured.SetNestedSlice(installed, variables, "spec", "variables"); err != nil {
			t.Fatal(err)
		}
		if path := missing(withoutLists(manifest())["spec"], installed["spec"], "spec"); path != differs {
			t.Errorf("with other %s: %q differs, want %q", name, path, differs)
		}
	}
}

func TestSkew(t *testing.T) {
	h := heard{sent: noon, received: noon.Add(2 * time.Second)}
	h.Answer = access.Answer{Header: http.Header{"Date": {noon.Add(11 * time.Second).Format(http.TimeFormat)}}}
	if d, known := h.skew(); !known || d != 10500*time.Millisecond {
		t.Errorf("%s, %v", d, known)
	}
	h.Header = http.Header{}
	if _, known := h.skew(); known {
		t.Error("a skew without a date")
	}
}

func TestChecksRunAtOnceAndKeepTheirOrder(t *testing.T) {
	var most, running atomic.Int32
	var checks []check
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o p") {
		checks = append(checks, check{name, func(context.Context) Result {
			most.Store(max(most.Load(), running.Add(1)))
			defer running.Add(-1)
			return ok("%s", name)
		}})
	}
	r := run(t.Context(), []section{{"one", checks}, {"two", []check{{"z", func(context.Context) Result { return fail("do", "broken") }}}}}, nil)
	for i, c := range r.Sections[0].Checks {
		if c.Name != checks[i].name || c.Found != c.Name {
			t.Errorf("check %d is %+v, want %s", i, c, checks[i].name)
		}
	}
	if r.Healthy || most.Load() > atOnce {
		t.Errorf("healthy %v, %d at once", r.Healthy, most.Load())
	}
}

// TestSaysWhatItWaitsFor runs by a clock of its own.
func TestSaysWhatItWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := check{"slow", func(context.Context) Result { time.Sleep(5 * time.Second); return ok("late") }}
		quick := check{"quick", func(context.Context) Result { return ok("soon") }}
		var progress bytes.Buffer
		run(t.Context(), []section{{"one", []check{quick, slow}}}, &progress)
		if want := strings.Repeat("still looking at: slow\n", 2); progress.String() != want {
			t.Errorf("%q, want %q", &progress, want)
		}
	})
}

func TestTextOfAReport(t *testing.T) {
	r := Report{Healthy: true, Sections: []Section{{"Kinds", []Check{
		{"a", notSeen("%s a", closedTo)},
		{"b", notSeen("%s b", closedTo)},
		{"c", ok("fine")},
		{"d", warn("do this\nand that", "odd \x1b[2J")},
		{"e", Result{Verdict: No, Found: "no"}},
	}}}}
	var b bytes.Buffer
	if err := r.write(&b, func(_ cli.Colour, s string) string { return s }, conclusions(false)); err != nil {
		t.Fatal(err)
	}
	const want = `Kinds
– a, b: not looked at: you may not read these
√ c: fine
‼ d: odd \x1b[2J
    do this
    and that
– e: no

What could be seen is healthy. 1 ok, 1 to know of, 0 failed, 2 not looked at.
`
	if b.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", &b, want)
	}
}

func TestASilentServerIsSaidOnce(t *testing.T) {
	r := Report{Sections: []Section{{Name: "Kinds", Checks: []Check{
		{"API server", fail("", "it does not answer")}, {"one", unclear(context.DeadlineExceeded)}, {"two", unclear(context.DeadlineExceeded)},
	}}}}
	r.silence()
	if r.count(Fail) != 1 || r.count(Unseen) != 2 {
		t.Errorf("%d failed and %d were not looked at; want 1 and 2", r.count(Fail), r.count(Unseen))
	}
	if lines := merged(r.Sections[0].Checks); len(lines) != 2 || lines[1].Name != "one, two" {
		t.Errorf("the lines are %v", lines)
	}
}
