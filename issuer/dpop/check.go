package dpop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Expected says for which request a proof must have been made. The zero value
// accepts none.
type Expected struct {
	// Now is the time of the judgement.
	Now time.Time
	// Method is the method of the request, and what htm must be.
	Method string
	// URLs are the names under which the request's target is known, one of which
	// htu must be. Query and fragment are ignored on both sides.
	URLs []string
	// AccessToken is the token that came with the proof, and whose hash ath must
	// be. Empty where a token is only asked for: then ath is not looked at.
	AccessToken string
}

// Check judges what the proof says of the request (RFC 9449 section 4.3, checks
// 8, 9, 11, and of 12 that it is for this access token).
func (p *Proof) Check(want Expected) error {
	if p.method != want.Method {
		return fmt.Errorf("the DPoP proof is for the method %s; its htm must be %s", clip(p.method), clip(want.Method))
	}
	if !slices.ContainsFunc(want.URLs, p.isFor) {
		return fmt.Errorf("the DPoP proof is for %s; its htu must be the URL of the request%s, without query and fragment",
			clip(p.url), example(want.URLs))
	}
	if err := p.checkTime(want.Now); err != nil {
		return err
	}
	if want.AccessToken != "" && !isHash(p.tokenHash, want.AccessToken) {
		return errors.New("the DPoP proof is not for this access token; its ath must be the base64url of the token's SHA-256")
	}
	return nil
}

func (p *Proof) isFor(url string) bool { return p.url == url || sameURL(p.url, url) }

func (p *Proof) checkTime(now time.Time) error {
	claims := p.jws.Claims
	switch {
	case now.IsZero():
		return errors.New("the time of the judgement is not known")
	case !now.Before(p.Ends()):
		return fmt.Errorf("the DPoP proof was made %s ago, at most %s is accepted; make a new one for each request, and compare the clocks",
			now.Sub(p.IssuedAt).Truncate(time.Second), MaxAge)
	case p.IssuedAt.After(now.Add(Leeway)):
		return fmt.Errorf("the iat of the DPoP proof is %s ahead; compare the clocks", p.IssuedAt.Sub(now).Truncate(time.Second))
	// A proof needs no exp and no nbf. Where it has them they hold (RFC 7519).
	case !claims.Expiry.IsZero() && !now.Before(claims.Expiry.Add(Leeway)):
		return errors.New("the exp of the DPoP proof has passed; make a new one for each request")
	case !claims.NotBefore.IsZero() && claims.NotBefore.After(now.Add(Leeway)):
		return errors.New("the nbf of the DPoP proof lies ahead; compare the clocks")
	}
	return nil
}

// isHash reports whether hash is the ath of the token (RFC 9449 section 4.2).
func isHash(hash, token string) bool {
	sum := sha256.Sum256([]byte(token))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(hash), []byte(want)) == 1
}

func example(urls []string) string {
	if len(urls) == 0 {
		return ", which is not known here"
	}
	return ", such as " + clip(urls[0])
}

// clip shortens what a stranger wrote and keeps of it what may stand in an
// error_description (RFC 6749 section 5.2).
func clip(s string) string {
	const most = 200
	if len(s) > most {
		s = s[:most] + "..."
	}
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, s)
}
