package httpapi_test

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// fakeHealth is ready unless told otherwise.
type fakeHealth struct{ refusal atomic.Pointer[oauth.Error] }

func (h *fakeHealth) Ready() *oauth.Error { return h.refusal.Load() }

// fakeService answers with what it is given.
type fakeService func(tokenservice.Request, *tokenservice.Event) (tokenservice.Answer, *oauth.Error)

func (f fakeService) Issue(_ context.Context, r tokenservice.Request, e *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
	return f(r, e)
}

// Introspect refuses what no test asked for.
func (fakeService) Introspect(context.Context, tokenservice.IntrospectionRequest, *tokenservice.Event) (tokenservice.Introspection, *oauth.Error) {
	return tokenservice.Introspection{}, oauth.NewError(oauth.ErrInternal, "unexpected call of Introspect")
}

// Revoke refuses what no test asked for.
func (fakeService) Revoke(context.Context, tokenservice.RevocationRequest, *tokenservice.Event) *oauth.Error {
	return oauth.NewError(oauth.ErrInternal, "unexpected call of Revoke")
}

func (fakeService) DPoPNonce(time.Time) string { return "a-nonce" }

// fakeEndpoints also answers at the other endpoints of clients.
type fakeEndpoints struct {
	fakeService
	introspect func(tokenservice.IntrospectionRequest, *tokenservice.Event) (tokenservice.Introspection, *oauth.Error)
	revoke     func(tokenservice.RevocationRequest, *tokenservice.Event) *oauth.Error
}

func (f fakeEndpoints) Introspect(_ context.Context, r tokenservice.IntrospectionRequest, e *tokenservice.Event) (tokenservice.Introspection, *oauth.Error) {
	return f.introspect(r, e)
}

func (f fakeEndpoints) Revoke(_ context.Context, r tokenservice.RevocationRequest, e *tokenservice.Event) *oauth.Error {
	return f.revoke(r, e)
}

// fakeCluster has one key.
type fakeCluster struct{ err atomic.Pointer[error] }

func (*fakeCluster) Issuers() []string { return []string{clusterIssuer} }

func (c *fakeCluster) Keys(context.Context, string) (jose.KeySet, error) {
	if err := c.err.Load(); err != nil {
		return nil, *err
	}
	return jose.Keys{clusterKid: must(jose.NewKey(clusterKid, clusterKey().Public(), jose.RS256))}, nil
}

// fakeWorkloads knows what lives.
type fakeWorkloads struct {
	mu       sync.Mutex
	accounts map[string]string
	pods     map[string]clientauth.Pod // by namespace/name/uid
	err      error
}

func (w *fakeWorkloads) ServiceAccount(_ context.Context, namespace, name, uid string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	living, ok := w.accounts[namespace+"/"+name]
	return ok && living == uid, w.err
}

func (w *fakeWorkloads) Pod(_ context.Context, namespace, name, uid string) (clientauth.Pod, bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.pods[namespace+"/"+name+"/"+uid]
	return p, ok, w.err
}

func (w *fakeWorkloads) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// recordEndpoint gives everybody a token, and keeps what endpoint was called.
func recordEndpoint(to *[]string) fakeService {
	return func(r tokenservice.Request, _ *tokenservice.Event) (tokenservice.Answer, *oauth.Error) {
		*to = append(*to, r.Presented.Endpoint)
		return tokenservice.Answer{AccessToken: "x"}, nil
	}
}
