package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// introspect is the introspection endpoint (RFC 7662 section 2).
func (a *API) introspect(ctx context.Context, x *exchange) {
	f, presented, ok := a.receive(x)
	if !ok {
		return
	}
	found, e := a.cfg.Service.Introspect(ctx, tokenservice.IntrospectionRequest{
		Presented: presented,
		Token:     f.token,
		Admit:     a.admit(x),
	}, &x.event)
	if e != nil {
		x.refuse(e)
		return
	}
	body, err := json.Marshal(introspectionOf(found))
	if err != nil {
		x.refuse(oauth.AsError(err))
		return
	}
	x.private()
	x.write(http.StatusOK, append(body, '\n'))
	connectionOf(x.r).proven()
}

// introspection is RFC 7662 section 2.2 with the claims of our tokens. Of a token
// that is not active nothing else is said.
type introspection struct {
	Active    bool            `json:"active"`
	Issuer    string          `json:"iss,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	Audience  string          `json:"aud,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	Tenant    string          `json:"tid,omitempty"`
	Scope     string          `json:"scope,omitempty"`
	Roles     []string        `json:"roles,omitempty"`
	TokenType oauth.TokenType `json:"token_type,omitempty"`
	TokenID   string          `json:"jti,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	NotBefore int64           `json:"nbf,omitempty"`
	Expiry    int64           `json:"exp,omitempty"`
	Cnf       *confirmation   `json:"cnf,omitempty"`
}

// confirmation is RFC 8705 section 3.2 and RFC 9449 section 6.2.
type confirmation struct {
	X5TS256 string `json:"x5t#S256,omitempty"`
	JKT     string `json:"jkt,omitempty"`
}

func introspectionOf(t tokenservice.Introspection) introspection {
	if !t.Active {
		return introspection{}
	}
	i := introspection{
		Active: true, Issuer: t.Issuer, Subject: t.Subject, Audience: t.Audience, ClientID: t.ClientID,
		Tenant: t.Tenant, Scope: t.Scope, Roles: t.Roles, TokenType: t.TokenType, TokenID: t.TokenID,
		IssuedAt: t.IssuedAt.Unix(), NotBefore: t.NotBefore.Unix(), Expiry: t.Expiry.Unix(),
	}
	if t.X5TS256 != "" || t.JKT != "" {
		i.Cnf = &confirmation{t.X5TS256, t.JKT}
	}
	return i
}

// revoke is the revocation endpoint (RFC 7009 section 2). A token that is none, or
// has ended, is answered like one that was revoked.
func (a *API) revoke(ctx context.Context, x *exchange) {
	f, presented, ok := a.receive(x)
	if !ok {
		return
	}
	if e := a.cfg.Service.Revoke(ctx, tokenservice.RevocationRequest{
		Presented: presented,
		Token:     f.token,
		Admit:     a.admit(x),
	}, &x.event); e != nil {
		x.refuse(e)
		return
	}
	x.private()
	x.w.Header()["Content-Length"] = []string{"0"}
	x.begin(http.StatusOK)
	connectionOf(x.r).proven()
}
