package jose_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// publicJWK is the ES256 key as it stands in a header.
func publicJWK(t testing.TB) string {
	t.Helper()
	key, err := jose.NewKey("k", keys()[jose.ES256].Public())
	if err != nil {
		t.Fatal(err)
	}
	data, err := jose.MarshalJWKS([]jose.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		t.Fatal(err)
	}
	return string(set.Keys[0])
}

func TestReadsProofWithItsOwnKey(t *testing.T) {
	p, err := jose.ParseProof(token(t, `{"alg":"ES256","typ":"proof+jwt","jwk":`+publicJWK(t)+`}`, good().json(t)), "proof+jwt")
	if err != nil {
		t.Fatal(err)
	}
	want, err := jose.Thumbprint(keys()[jose.ES256].Public())
	if err != nil {
		t.Fatal(err)
	}
	if p.Thumbprint != want || p.Claims.ID != "1" || string(p.Payload) != good().json(t) {
		t.Errorf("got %+v", p)
	}
	if err := p.Verify(); err != nil {
		t.Error(err)
	}
}

func TestRefusesProofs(t *testing.T) {
	own := publicJWK(t)
	for name, c := range map[string]struct {
		header string
		reason error
	}{
		"without a key":                {`{"alg":"ES256","typ":"proof+jwt"}`, jose.ErrKey},
		"with a key of another alg":    {`{"alg":"EdDSA","typ":"proof+jwt","jwk":` + own + `}`, jose.ErrKey},
		"with a private key":           {`{"alg":"ES256","typ":"proof+jwt","jwk":` + strings.TrimSuffix(own, "}") + `,"d":"AQ"}}`, jose.ErrKey},
		"with a key that is repeated":  {`{"alg":"ES256","typ":"proof+jwt","jwk":` + own + `,"jwk":` + own + `}`, jose.ErrMalformed},
		"with a name that looks alike": {`{"alg":"ES256","typ":"proof+jwt","jwk":` + own + `,"JWK":{}}`, jose.ErrMalformed},
		"with a critical extension":    {`{"alg":"ES256","typ":"proof+jwt","crit":["x"],"jwk":` + own + `}`, jose.ErrMalformed},
		"of another typ":               {`{"alg":"ES256","typ":"at+jwt","jwk":` + own + `}`, jose.ErrType},
		"of no algorithm":              {`{"alg":"none","typ":"proof+jwt","jwk":` + own + `}`, jose.ErrAlgorithm},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := jose.ParseProof(token(t, c.header, good().json(t)), "proof+jwt"); !errors.Is(err, c.reason) {
				t.Errorf("got %v, want %v", err, c.reason)
			}
		})
	}
	p, err := jose.ParseProof(token(t, `{"alg":"ES256","typ":"proof+jwt","jwk":`+own+`}`, good().json(t))+"AAAA", "proof+jwt")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Verify(); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("got %v, want ErrSignature", err)
	}
}
