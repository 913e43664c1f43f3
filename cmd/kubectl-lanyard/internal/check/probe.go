package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
)

// probe looks. What several checks need is looked at once.
type probe struct {
	client.Client
	config *rest.Config
	now    func() time.Time
	// namespace is the person's, lanyard where Lanyard runs.
	namespace, lanyard string
	where              *access.Issuer

	metadata func() (heard, error)
	keys     func() (heard, error)
	version  func() (heard, error)
}

// heard is an answer over HTTP, and when it came.
type heard struct {
	access.Answer

	sent, received time.Time
}

// remember has the probe ask each document once, when it is first needed.
func (p *probe) remember(ctx context.Context) {
	of := func(path string) func() (heard, error) {
		return sync.OnceValues(func() (heard, error) {
			sent := p.now()
			answer, err := p.where.Get(ctx, path)
			return heard{answer, sent, p.now()}, err
		})
	}
	p.metadata, p.keys = of(access.MetadataPath), of(access.KeysPath)
	p.version = sync.OnceValues(func() (heard, error) { return p.askServer(ctx, "/version") })
}

// askServer reads a document of the API server, with the time at which it answered.
func (p *probe) askServer(ctx context.Context, path string) (heard, error) {
	ctx, cancel := context.WithTimeout(ctx, perCheck)
	defer cancel()
	c, err := rest.HTTPClientFor(p.config)
	if err != nil {
		return heard{}, err
	}
	base, _, err := rest.DefaultServerUrlFor(p.config)
	if err != nil {
		return heard{}, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath(path).String(), http.NoBody)
	if err != nil {
		return heard{}, err
	}
	r.Header.Set("Accept", "application/json")
	sent := p.now()
	response, err := c.Do(r)
	if err != nil {
		return heard{}, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is written
	h := heard{Answer: access.Answer{Status: response.StatusCode, Header: response.Header}, sent: sent, received: p.now()}
	if response.StatusCode != http.StatusOK {
		return h, fmt.Errorf("the API server answers %s at %s", response.Status, path)
	}
	var body json.RawMessage
	err = json.NewDecoder(http.MaxBytesReader(nil, response.Body, 1<<20)).Decode(&body)
	h.Body = body
	return h, err
}

// skew is how far the clock that wrote the header Date is ahead of the one here, and
// whether that is known. Date has whole seconds.
func (h heard) skew() (time.Duration, bool) {
	t, err := http.ParseTime(h.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	middle := h.sent.Add(h.received.Sub(h.sent) / 2)
	return t.Add(time.Second / 2).Sub(middle), true
}
