package why

import (
	"fmt"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// Verdict is the answer to one step.
type Verdict string

// The values of Verdict.
const (
	Passed     Verdict = "Passed"
	Refused    Verdict = "Refused"
	Unknown    Verdict = "Unknown"    // it could not be looked at
	NotReached Verdict = "NotReached" // there is nothing to ask it of
)

// Outcome is what comes of all steps.
type Outcome string

// The values of Outcome.
const (
	TokenGranted Outcome = "Granted"
	TokenRefused Outcome = "Refused"
	// TokenUnknown: nothing that could be looked at refuses it.
	TokenUnknown Outcome = "Unknown"
)

// Report is the whole answer.
type Report struct {
	// Logged is the request of --trace, as it was answered then. All else is as things
	// stand now.
	Logged *Logged `json:"logged,omitempty"`

	// Client and Resource are namespace/name; Resource is empty if there is none.
	Client     string `json:"client,omitempty"`
	ClientID   string `json:"clientID,omitempty"`
	Resource   string `json:"resource,omitempty"`
	Identifier string `json:"identifier,omitempty"`
	Asks       Asks   `json:"asks"`

	Outcome Outcome `json:"outcome,omitempty"`
	// Refusal is what the issuer answers; nil unless Outcome is Refused.
	Refusal     *Refusal     `json:"refusal,omitempty"`
	Steps       []Step       `json:"steps"`
	Credentials []Credential `json:"credentials,omitempty"`
	Roles       []Role       `json:"roles,omitempty"`
	// Token is what would be given; nil if none would.
	Token *Token `json:"token,omitempty"`
	// Try are commands that change what stands in the way, for whoever may.
	Try []string `json:"try,omitempty"`
	// Ask is the command by which the client's owner sees the rest, where the client may
	// not be read.
	Ask string `json:"ask,omitempty"`
}

// Asks is the request that is explained.
type Asks struct {
	// Resource as it was typed.
	Resource    string `json:"resource,omitempty"`
	GrantType   string `json:"grantType"`
	Scope       string `json:"scope,omitempty"`
	TokenType   string `json:"tokenType,omitempty"`
	Certificate string `json:"certificate,omitempty"`
	DPoP        bool   `json:"dpop,omitempty"`
	// By is the credential that authenticates, and Assumed says that nobody chose the
	// certificate, the proof or the credential: they are what suits the client best.
	By      string `json:"by,omitempty"`
	Assumed bool   `json:"assumed"`
}

// Step is one step of the decision.
type Step struct {
	Name    string  `json:"name"`
	Verdict Verdict `json:"verdict"`
	Number  int     `json:"number,omitempty"`
	Message string  `json:"message"`
}

// Refusal is a number of the catalogue.
type Refusal struct {
	Number int    `json:"number"`
	Error  string `json:"error"`
	Title  string `json:"title"`
	// Page explains the number, in the documentation.
	Page string `json:"page"`
}

func refusalOf(n oauth.Number) *Refusal {
	return &Refusal{Number: int(n), Error: string(n.Code()), Title: n.Title(), Page: fmt.Sprintf("docs/reference/errors/%d.md", n)}
}

// Role is a role that the client asks for in the namespace of the resource.
type Role struct {
	Name       string     `json:"name"`
	Value      string     `json:"value,omitempty"`
	State      string     `json:"state"`
	Assignment string     `json:"assignment,omitempty"`
	ExpiresAt  *time.Time `json:"expiresAt,omitempty"`
	Message    string     `json:"message,omitempty"`
}

// Token is what would be given.
type Token struct {
	Audience  string   `json:"audience"`
	Roles     []string `json:"roles"`
	Scope     string   `json:"scope"`
	TokenType string   `json:"tokenType"`
	// BoundTo is MTLS, DPoP or None; Thumbprint the certificate's x5t#S256.
	BoundTo    string `json:"boundTo"`
	Thumbprint string `json:"thumbprint,omitempty"`
	ExpiresIn  string `json:"expiresIn"`
	// LimitedBy says what makes it end then.
	LimitedBy string `json:"limitedBy"`
}

func tokenOf(a rules.Approval, limit rules.Limit, binding string) *Token {
	t := &Token{
		Audience: a.Audience(), Roles: a.Roles(), Scope: a.Scope(), TokenType: string(a.TokenType()),
		BoundTo: binding, Thumbprint: a.Thumbprint(), ExpiresIn: a.Lifetime().String(), LimitedBy: string(limit),
	}
	if t.Roles == nil {
		t.Roles = []string{}
	}
	return t
}

// refuse adds a refusal to the steps. The first is the issuer's answer.
func (r *Report) add(s Step) {
	r.Steps = append(r.Steps, s)
	if s.Verdict == Refused && r.Refusal == nil {
		r.Refusal = refusalOf(oauth.Number(s.Number))
	}
}

// conclude draws the outcome from the steps.
func (r *Report) conclude() {
	r.Outcome = TokenGranted
	for _, s := range r.Steps {
		switch {
		case s.Verdict == Refused:
			r.Outcome = TokenRefused
			return
		case s.Verdict != Passed:
			r.Outcome = TokenUnknown
		}
	}
}

func couldNotLook(need string) string { return "could not look: " + need }

// join writes sentences one after the other.
func join(sentences ...string) string {
	var out []string
	for _, s := range sentences {
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "; ")
}
