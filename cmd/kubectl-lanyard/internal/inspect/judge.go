package inspect

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// Level says what a finding means for the token.
type Level string

// The levels.
const (
	// OK speaks for it.
	OK Level = "ok"
	// Note is worth knowing, and stops nothing.
	Note Level = "note"
	// Stands is against it: nobody accepts it while this is so.
	Stands Level = "against"
)

// Finding is one thing that speaks for or against what was given.
type Finding struct {
	Level Level  `json:"level"`
	Text  string `json:"text"`
}

type findings []Finding

func (f *findings) add(level Level, format string, args ...any) {
	*f = append(*f, Finding{level, fmt.Sprintf(format, args...)})
}

// against says whether anything stands against it.
func (f findings) against() bool {
	for _, one := range f {
		if one.Level == Stands {
			return true
		}
	}
	return false
}

// Facts are all that a judgement rests on.
type Facts struct {
	Now time.Time
	// Certificate is the one to be shown with the token, or nil.
	Certificate *x509.Certificate
	// Keys are the issuer's, or nil where they are not known.
	Keys jose.KeySet
	// KeysFrom says where Keys are from.
	KeysFrom string
	// Issuer is the issuer that the API trusts, or empty where that is not known.
	Issuer string
}

// Judgement is what is known of a token.
type Judgement struct {
	Kind     Kind
	Findings findings
	// Conclusion says in one sentence who accepts it now, and with what.
	Conclusion string
	// Accepted says whether anybody does.
	Accepted bool
}

// Judge says what speaks for and against a token.
func Judge(raw string, f Facts) Judgement {
	d := Decode(raw)
	j := Judgement{Kind: KindOf(d)}
	u, err := jose.ParseUnverified(raw)
	if err != nil {
		j.Findings.add(Stands, "APIs and the issuer refuse its form: %v", err)
		j.Conclusion = "Nobody accepts it."
		return j
	}
	switch j.Kind {
	case ServiceAccountToken:
		j.serviceAccount(d, u, f)
	case ClientAssertion:
		j.assertion(u, f)
	case DPoPProof:
		j.proof(raw, d, f)
	case AccessToken, UnknownToken, NoToken:
		j.access(d, u, f)
	}
	return j
}

// access judges an access token as an API does (package verifier), but tells all that
// stands against it and not only the first.
func (j *Judgement) access(d Decoded, u *jose.Unverified, f Facts) {
	if u.Header.Type == oauth.TypAccessToken {
		j.Findings.add(OK, "it is an access token (typ %s)", oauth.TypAccessToken)
	} else {
		j.Findings.add(Stands, "it is no access token: typ is %q, APIs take %q alone", u.Header.Type, oauth.TypAccessToken)
	}
	j.signature(u, f)
	j.issuer(u.Claims.Issuer, f)
	j.times(u.Claims, f.Now)
	j.audience(u.Claims)
	if u.Claims.Subject == "" || text(d.Claims, "client_id") == "" {
		j.Findings.add(Stands, "it does not name its client: it needs sub and client_id")
	}
	with := j.binding(d, f)
	if j.Findings.against() {
		j.Conclusion = "No API accepts it."
		return
	}
	j.Accepted = true
	j.Conclusion = fmt.Sprintf("The API %s accepts it now%s", u.Claims.Audience[0], with)
	if f.Keys == nil {
		j.Conclusion += ", if the signature is right"
	}
	j.Conclusion += "."
}

// signature judges the signature, where there are keys to judge it with.
func (j *Judgement) signature(u *jose.Unverified, f Facts) {
	if u.Header.KeyID == "" {
		j.Findings.add(Stands, "its header has no kid, so nobody knows which key to verify it with")
		return
	}
	if f.Keys == nil {
		j.Findings.add(Note, "the signature was not checked; give --jwks FILE or --issuer URL to have it checked")
		return
	}
	_, err := u.Verify(f.Keys, signatureOnly(u, f.Now))
	if err = signatureError(err); err != nil {
		j.Findings.add(Stands, "the signature does not hold with the keys of %s: %v", f.KeysFrom, err)
		return
	}
	j.Findings.add(OK, "it is signed with the key %s, of %s", u.Header.KeyID, f.KeysFrom)
}

// signatureOnly expects of a token what it says of itself, so that nothing but the
// signature is judged before the claims are.
func signatureOnly(u *jose.Unverified, now time.Time) jose.Expected {
	return jose.Expected{
		Now: now, Issuer: u.Claims.Issuer, Audiences: u.Claims.Audience, Types: []string{u.Header.Type}, RequireLowS: true,
	}
}

// signatureError leaves of what Verify found what concerns the signature: claims are
// judged after it, and told elsewhere.
func signatureError(err error) error {
	for _, later := range []error{jose.ErrAudience, jose.ErrExpired, jose.ErrNotYetValid, jose.ErrLifetime, jose.ErrClaims} {
		if errors.Is(err, later) {
			return nil
		}
	}
	if errors.Is(err, jose.ErrIssuer) {
		return errors.New("it has no iss") // the only way, as it is compared with itself
	}
	return err
}

func (j *Judgement) issuer(iss string, f Facts) {
	switch {
	case iss == "":
		j.Findings.add(Stands, "it does not name its issuer (iss)")
	case f.Issuer != "" && iss != f.Issuer:
		j.Findings.add(Stands, "it is of another issuer: iss is %q, not %q", iss, f.Issuer)
	}
}

// times judges exp, nbf and iat, with the leeway that everybody has.
func (j *Judgement) times(c jose.Claims, now time.Time) {
	const leeway = jose.DefaultLeeway
	switch {
	case c.Expiry.IsZero():
		j.Findings.add(Stands, "it has no end (exp)")
	case !now.Before(c.Expiry.Add(leeway)):
		j.Findings.add(Stands, "it has expired: exp was %s; ask for a new one", cli.When(c.Expiry, now))
	case !c.NotBefore.IsZero() && now.Before(c.NotBefore.Add(-leeway)):
		j.Findings.add(Stands, "it is not valid yet: nbf is %s; compare the clocks", cli.When(c.NotBefore, now))
	case !c.IssuedAt.IsZero() && now.Before(c.IssuedAt.Add(-leeway)):
		j.Findings.add(Stands, "it is not valid yet: iat is %s; compare the clocks", cli.When(c.IssuedAt, now))
	case now.Before(c.Expiry):
		j.Findings.add(OK, "it is in time: it ends %s", cli.When(c.Expiry, now))
	default:
		j.Findings.add(Note, "it has expired %s, and is accepted for a moment more: clocks may be %s apart", cli.When(c.Expiry, now), leeway)
	}
}

func (j *Judgement) audience(c jose.Claims) {
	switch len(c.Audience) {
	case 0:
		j.Findings.add(Stands, "it is for nobody: it has no aud")
	case 1:
		j.Findings.add(OK, "it is for %s alone", c.Audience[0])
	default:
		j.Findings.add(Stands, "it is for %d audiences; it must be for exactly one, or one of them could use it with another", len(c.Audience))
	}
}

// binding judges cnf (RFC 8705 section 3.1, RFC 9449 section 6.1), and says with what
// the token is accepted.
func (j *Judgement) binding(d Decoded, f Facts) (with string) {
	if _, ok := find(d.Claims, "cnf"); !ok {
		j.Findings.add(Note, "it is bound to nothing: whoever sees it can use it, and only an API whose tokenBindingPolicy is Optional takes it")
		return ", if its tokenBindingPolicy is Optional"
	}
	cnf := object(d.Claims, "cnf")
	thumbprint, jkt := d.Confirmation("x5t#S256"), d.Confirmation("jkt")
	switch {
	case len(cnf) != 1 || thumbprint == "" && jkt == "":
		j.Findings.add(Stands, "it is bound in a way that nobody knows here: cnf must have x5t#S256 or jkt, and nothing else")
		return ""
	case jkt != "":
		j.Findings.add(Note, "it is bound to the DPoP key with the thumbprint %s", jkt)
		return ", with a DPoP proof of that key"
	case f.Certificate == nil:
		j.Findings.add(Note, "it is bound to the certificate with the x5t#S256 %s; give --cert FILE to compare", thumbprint)
		return ", over a connection with that certificate"
	case jose.X5TS256(f.Certificate.Raw) != thumbprint:
		j.Findings.add(Stands, "token and certificate do not belong together: it is bound to the certificate with the x5t#S256 %s, and this one has %s", thumbprint, jose.X5TS256(f.Certificate.Raw))
		return ""
	}
	j.Findings.add(OK, "token and certificate belong together: cnf is the x5t#S256 of the certificate")
	return ", over a connection with this certificate"
}
