package ops_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/sidecar/metrics"
	"github.com/lanyard-dev/lanyard/sidecar/ops"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

type source struct{}

// States implements ops.Source.
func (source) States() []tokens.State {
	return []tokens.State{
		{Resource: "api://billing", Failure: errors.New("x"), Requests: 3, Failed: map[string]uint64{"invalid_scope": 2, "unavailable": 1}},
		{Resource: "api://orders", Token: &tokens.Token{Value: "SECRET", ExpiresAt: time.Unix(1000, 0)}, Requests: 1},
	}
}

// CertificateState implements ops.Source.
func (source) CertificateState() tokens.CertificateState {
	return tokens.CertificateState{Current: &tls.Certificate{Leaf: &x509.Certificate{NotAfter: time.Unix(2000, 0)}}, Switches: 4}
}

// get asks as a process of the pod does.
func get(h http.Handler, path string) (int, string) { return getFrom(h, "127.0.0.1:40000", path) }

func getFrom(h http.Handler, peer, path string) (int, string) {
	w, r := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, path, http.NoBody)
	r.RemoteAddr = peer
	h.ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(text)
}

func TestThePageSaysHowTokensStand(t *testing.T) {
	r := &metrics.Registry{}
	r.Add(ops.Tokens(source{}))
	_, page := get(ops.New(ops.Config{Metrics: r}), "/metrics")
	want := `# HELP lanyard_sidecar_token_expiry_timestamp_seconds When the token in hand ends; 0: there is none.
# TYPE lanyard_sidecar_token_expiry_timestamp_seconds gauge
lanyard_sidecar_token_expiry_timestamp_seconds{resource="api://billing"} 0
lanyard_sidecar_token_expiry_timestamp_seconds{resource="api://orders"} 1000
# HELP lanyard_sidecar_token_requests_total Requests for a token that the issuer was sent.
# TYPE lanyard_sidecar_token_requests_total counter
lanyard_sidecar_token_requests_total{resource="api://billing"} 3
lanyard_sidecar_token_requests_total{resource="api://orders"} 1
# HELP lanyard_sidecar_token_failures_total Those that brought none, by the issuer's error code, or unavailable.
# TYPE lanyard_sidecar_token_failures_total counter
lanyard_sidecar_token_failures_total{resource="api://billing",code="invalid_scope"} 2
lanyard_sidecar_token_failures_total{resource="api://billing",code="unavailable"} 1
# HELP lanyard_sidecar_token_failing 1 if the last request for a token brought none.
# TYPE lanyard_sidecar_token_failing gauge
lanyard_sidecar_token_failing{resource="api://billing"} 1
lanyard_sidecar_token_failing{resource="api://orders"} 0
# HELP lanyard_sidecar_certificate_expiry_timestamp_seconds When the certificate in use ends.
# TYPE lanyard_sidecar_certificate_expiry_timestamp_seconds gauge
lanyard_sidecar_certificate_expiry_timestamp_seconds 2000
# HELP lanyard_sidecar_certificate_pending 1 while a new certificate waits for its tokens.
# TYPE lanyard_sidecar_certificate_pending gauge
lanyard_sidecar_certificate_pending 0
# HELP lanyard_sidecar_certificate_switches_total Switches to a new certificate and its tokens.
# TYPE lanyard_sidecar_certificate_switches_total counter
lanyard_sidecar_certificate_switches_total 4
`
	if diff := cmp.Diff(want, page); diff != "" {
		t.Error(diff)
	}
}

func TestStartedSaysWhyNot(t *testing.T) {
	var why error
	h := ops.New(ops.Config{Started: func() error { return why }})
	if status, text := get(h, "/startedz"); status != http.StatusOK || text != "ok\n" {
		t.Errorf("%d %s", status, text)
	}
	why = errors.New("there is no token for api://orders yet")
	if status, text := get(h, "/startedz"); status != http.StatusServiceUnavailable || text != "there is no token for api://orders yet\n" {
		t.Errorf("%d %s", status, text)
	}
	if status, _ := get(h, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
}

func TestRefusesToTellStrangersWhyThePodWaits(t *testing.T) {
	h := ops.New(ops.Config{Started: func() error { return errors.New("the issuer refused the client") }})
	for peer, said := range map[string]string{
		"10.0.0.7:40000":         "not started; the pod's log says why\n",
		"[2001:db8::7]:40000":    "not started; the pod's log says why\n",
		"[::1]:40000":            "the issuer refused the client\n",
		"[::ffff:127.0.0.1]:999": "the issuer refused the client\n",
	} {
		if status, text := getFrom(h, peer, "/startedz"); status != http.StatusServiceUnavailable || text != said {
			t.Errorf("%s is told %d %q, want %q", peer, status, text, said)
		}
	}
}
