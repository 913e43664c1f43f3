package endpoint

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// patience is how long a request waits for the first token. Libraries wait longer.
const patience = 10 * time.Second

// Source holds the tokens. Its errors are those of [tokens.Source].
type Source interface {
	Token(ctx context.Context, resource string) (*tokens.Token, error)
}

// Config is what the endpoint needs.
type Config struct {
	Source Source
	// Resources are the identifiers that may be asked for. If there is only one, a request
	// need not name it.
	Resources []string
	// Port is where it listens, as it stands in the Host of requests.
	Port string
	Now  func() time.Time
	Log  *slog.Logger
	// Count counts answers: by path, and by "ok" or the error code.
	Count func(endpoint, outcome string)
}

type endpoint struct{ cfg Config }

// New returns the handler.
func New(cfg Config) http.Handler {
	e := &endpoint{cfg}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", e.metadata)
	mux.HandleFunc("/oauth2/token", e.oauth)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		e.refuse(w, "other", refusal{
			status: http.StatusNotFound, code: invalidRequest,
			description: "there is GET /token?resource=<identifier> with the header Metadata: true, and POST /oauth2/token",
		})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if text := e.strange(r); text != "" {
			cfg.Log.Debug("a request was refused", "cause", text)
			e.refuse(w, "other", refusal{status: http.StatusForbidden, code: invalidRequest, description: text})
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// token answers with the token of a resource. answer makes the body.
func (e *endpoint) token(w http.ResponseWriter, r *http.Request, name, resource string, answer func(*tokens.Token) any) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	t, err := e.cfg.Source.Token(ctx, resource)
	if err != nil {
		e.refuse(w, name, refusalOf(err))
		return
	}
	e.cfg.Count(name, "ok")
	write(w, http.StatusOK, answer(t))
}

// remaining is the whole seconds that a token still lives.
func (e *endpoint) remaining(t *tokens.Token) int64 {
	return int64(max(0, t.ExpiresAt.Sub(e.cfg.Now())) / time.Second)
}
