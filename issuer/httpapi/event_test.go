package httpapi_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/lanyard-dev/lanyard/issuer/httpapi"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// What is secret stands in no log line and in no metric, whatever happens.
func TestLogAndMetricsHoldNothingSecret(t *testing.T) {
	h := newHouse(t)
	good, bad := sign(h.claims()), sign(h.claims(map[string]any{"aud": "x"}))
	secrets := []string{good, bad, "hunter2", strings.Split(good, ".")[2], strings.Split(bad, ".")[2]}
	answer := h.token(t, federatedForm(good), checkoutCert())
	secrets = append(secrets, answer.AccessToken, strings.Split(answer.AccessToken, ".")[2])
	h.token(t, federatedForm(good))
	h.token(t, federatedForm(bad), checkoutCert())
	h.token(t, federatedForm(good+"x"), checkoutCert())
	h.token(t, federatedForm("hunter2"), strangeCert())
	form := mtlsForm("shop/checkout")
	form.Set("client_secret", "hunter2")
	h.token(t, form, checkoutCert())
	send(t, client(t), request(t, http.MethodPost, h.url+"/oauth2/token?client_secret=hunter2&client_assertion="+good, "", http.Header{"Authorization": {"Basic hunter2"}}))
	rec := httptest.NewRecorder()
	httpapi.NewOps(h.health, h.metrics, discard()).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/metrics", http.NoBody))
	for _, secret := range secrets {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("the log holds %.20s...", secret)
		}
		if strings.Contains(rec.Body.String(), secret) {
			t.Errorf("the metrics hold %.20s...", secret)
		}
	}
	if len(h.events(t)) != 7 {
		t.Errorf("%d events for 7 requests", len(h.events(t)))
	}
}

func TestLogClipsWhatAStrangerClaims(t *testing.T) {
	h := newHouse(t)
	h.token(t, mtlsForm(strings.Repeat("é\n", 3000)), strangeCert())
	if id, ok := h.lastEvent(t)["client_id"].(string); !ok || len(id) > 140 || len(id) < 100 {
		t.Errorf("logged client_id of %d bytes", len(id))
	}
}

func TestCountsRequests(t *testing.T) {
	h := newHouse(t)
	honest(t, h)
	h.token(t, mtlsForm("shop/nobody"), strangeCert())
	send(t, client(t), request(t, http.MethodGet, h.url+"/oauth2/keys", "", nil))
	send(t, client(t), request(t, http.MethodGet, h.url+"/nowhere", "", nil))
	want := `
# HELP lanyard_issuer_requests_total Requests by endpoint, by the method that the client authenticated with (none: it did not), and by outcome: ok or the OAuth error code.
# TYPE lanyard_issuer_requests_total counter
lanyard_issuer_requests_total{endpoint="keys",method="none",outcome="ok"} 1
lanyard_issuer_requests_total{endpoint="none",method="none",outcome="invalid_request"} 1
lanyard_issuer_requests_total{endpoint="token",method="none",outcome="invalid_client"} 1
lanyard_issuer_requests_total{endpoint="token",method="private_key_jwt",outcome="ok"} 1
lanyard_issuer_requests_total{endpoint="token",method="tls_client_auth",outcome="ok"} 1
# HELP lanyard_issuer_refusals_total Refusals by reason: a fixed word, or the number of the error where that says it all.
# TYPE lanyard_issuer_refusals_total counter
lanyard_issuer_refusals_total{reason="10011"} 1
lanyard_issuer_refusals_total{reason="unknown_client"} 1
# HELP lanyard_issuer_registry_objects Objects that the issuer knows, by kind.
# TYPE lanyard_issuer_registry_objects gauge
lanyard_issuer_registry_objects{kind="AppRole"} 1
lanyard_issuer_registry_objects{kind="AppRoleAssignment"} 2
lanyard_issuer_registry_objects{kind="ClientCertificate"} 2
lanyard_issuer_registry_objects{kind="Namespace"} 3
lanyard_issuer_registry_objects{kind="OAuthClient"} 2
lanyard_issuer_registry_objects{kind="ProtectedResource"} 1
`
	if err := testutil.GatherAndCompare(h.metrics, strings.NewReader(want), "lanyard_issuer_requests_total", "lanyard_issuer_refusals_total", "lanyard_issuer_registry_objects"); err != nil {
		t.Error(err)
	}
}

func TestOpsPort(t *testing.T) {
	h := newHouse(t)
	ops := httpapi.NewOps(h.health, h.metrics, discard())
	get := func(path string) (int, string) {
		rec := httptest.NewRecorder()
		ops.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, http.NoBody))
		return rec.Code, rec.Body.String()
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/metrics": 200, "/oauth2/token": 404} {
		if got, body := get(path); got != want {
			t.Errorf("GET %s: %d %s; want %d", path, got, body, want)
		}
	}
	h.health.refusal.Store(oauth.NewError(oauth.ErrNotReady, "").WithCause(errors.New("waiting for Pod")))
	if got, body := get("/readyz"); got != http.StatusServiceUnavailable || !strings.Contains(body, "waiting for Pod") {
		t.Errorf("GET /readyz: %d %s", got, body)
	}
	if got, _ := get("/healthz"); got != http.StatusOK {
		t.Errorf("GET /healthz: %d: a restart would not help", got)
	}
}
