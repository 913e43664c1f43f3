package endpoint

import (
	"net/http"
	"strings"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// metadataAnswer is the body of GET /token.
type metadataAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int64  `json:"expires_in"` // seconds
	ExpiresOn   int64  `json:"expires_on"` // seconds since 1970
	Resource    string `json:"resource"`
	Scope       string `json:"scope,omitempty"`
	// Confirmation is what the token is bound to, written as in the token (RFC 8705
	// section 3.1). It is left out if it is bound to nothing.
	Confirmation *confirmation `json:"cnf,omitempty"`
}

type confirmation struct {
	Thumbprint string `json:"x5t#S256"`
}

// metadata answers GET /token?resource=<identifier>. The header Metadata: true cannot be
// set by somebody who only chooses the URL that a program in the pod fetches.
func (e *endpoint) metadata(w http.ResponseWriter, r *http.Request) {
	const name = "token"
	wrong := func(text string) {
		e.refuse(w, name, refusal{status: http.StatusBadRequest, code: invalidRequest, description: text})
	}
	if r.Method != http.MethodGet {
		e.refuseMethod(w, name, http.MethodGet)
		return
	}
	if !strings.EqualFold(r.Header.Get("Metadata"), "true") {
		wrong("the header Metadata: true is missing; send it, so that nobody can have the token fetched with a URL alone")
		return
	}
	query := r.URL.Query()
	resources := query["resource"]
	switch {
	case len(resources) > 1:
		wrong("resource is sent more than once; ask for each in a request of its own")
		return
	case query.Has("scope"):
		wrong("scope is not served here; write resource=<identifier>")
		return
	}
	resource, missing := e.only(strings.Join(resources, ""))
	if missing != "" {
		wrong(missing + "write resource=<identifier>")
		return
	}
	e.token(w, r, name, resource, func(t *tokens.Token) any {
		a := metadataAnswer{
			AccessToken: t.Value, TokenType: t.Type, ExpiresIn: e.remaining(t), ExpiresOn: t.ExpiresAt.Unix(), Resource: t.Resource, Scope: t.Scope,
		}
		if t.Thumbprint != "" {
			a.Confirmation = &confirmation{t.Thumbprint}
		}
		return a
	})
}

// only is the resource that was named, else the only one there is. missing says that
// none was named where one has to be.
func (e *endpoint) only(named string) (resource, missing string) {
	switch {
	case named != "":
		return named, ""
	case len(e.cfg.Resources) == 1:
		return e.cfg.Resources[0], ""
	case len(e.cfg.Resources) == 0:
		return "", "no resource is listed in the configuration (annotation lanyard.dev/config); list one, and "
	}
	return "", "the request names no resource, and there are several (" + strings.Join(e.cfg.Resources, ", ") + "); "
}
