package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/inspect"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// granted is a token that the issuer gave.
type granted struct {
	token string
	raw   json.RawMessage
}

// read reads the issuer's answer. client and resource are for what to do next.
func read(a access.Answer, client, resource string) (granted, error) {
	var body struct {
		AccessToken   string         `json:"access_token"`
		Error         string         `json:"error"`
		Description   string         `json:"error_description"`
		Codes         []oauth.Number `json:"error_codes"`
		TraceID       string         `json:"trace_id"`
		CorrelationID string         `json:"correlation_id"`
	}
	if err := json.Unmarshal(a.Body, &body); err != nil {
		// Not quoted: nobody knows what it holds.
		return granted{}, fmt.Errorf("what answers there is no issuer of Lanyard: it says %d, and no JSON; is --issuer right?", a.Status)
	}
	switch {
	case body.AccessToken != "":
		return granted{body.AccessToken, a.Body}, nil
	case body.Error == "":
		return granted{}, fmt.Errorf("what answers there is no issuer of Lanyard: it says %d, with neither a token nor an error; is --issuer right?", a.Status)
	}
	var b strings.Builder
	b.WriteString("the issuer refuses")
	for _, n := range body.Codes {
		fmt.Fprintf(&b, " with number %d", n)
	}
	fmt.Fprintf(&b, ", %s: %s\n", inspect.Printable(body.Error), inspect.Printable(body.Description))
	if body.TraceID != "" {
		trace := inspect.Printable(body.TraceID)
		fmt.Fprintf(&b, "The issuer's log says more under trace id %s: kubectl lanyard why --trace %s\n", trace, trace)
	}
	if resource == "" {
		resource = "RESOURCE"
	}
	if slices.Contains(body.Codes, oauth.ErrNoScope) {
		b.WriteString("Name the API with --resource, such as --resource api://orders\n")
	}
	fmt.Fprintf(&b, "What the declarations say: kubectl lanyard why %s %s", client, resource)
	return granted{}, errors.New(b.String())
}

// tell says on w what the token is, without the token.
func (g granted) tell(w io.Writer, now time.Time, asked string) error {
	d := inspect.Decode(g.token)
	show := func(name string) string { return inspect.Printable(d.Claim(name)) }
	u, err := jose.ParseUnverified(g.token)
	if err != nil {
		return errors.New("the issuer answered with a token that cannot be read; kubectl lanyard inspect says why")
	}
	t := cli.NewTable()
	t.Row("client", show("client_id"))
	t.Row("for", show("aud"))
	t.Row("roles", orNone(show("roles")))
	t.Row("ends", fmt.Sprintf("%s, %s", u.Claims.Expiry.UTC().Format(time.RFC3339), cli.When(u.Claims.Expiry, now)))
	t.Row("bound to", boundTo(d))
	t.Row("asked as", asked)
	return t.Write(w, "")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func boundTo(d inspect.Decoded) string {
	if thumbprint := d.Confirmation("x5t#S256"); thumbprint != "" {
		return "the certificate with the x5t#S256 " + inspect.Printable(thumbprint) + ": it is of use only over a connection with that"
	}
	if jkt := d.Confirmation("jkt"); jkt != "" {
		return "the DPoP key " + inspect.Printable(jkt)
	}
	return "nothing: whoever sees it can use it"
}
