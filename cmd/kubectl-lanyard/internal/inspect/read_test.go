package inspect

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"sigs.k8s.io/yaml"
)

func TestRead(t *testing.T) {
	p, ca := newParty(t), newParty(t)
	token := sign(t, "k", p.key, "at+jwt", accessClaims(p))
	tests := map[string]struct {
		input        string
		token        string
		certificates int
		keys         int
		refused      string
	}{
		"a token":                            {input: token + "\n", token: token},
		"a certificate":                      {input: p.pem(), certificates: 1},
		"a chain":                            {input: p.pem() + ca.pem(), certificates: 2},
		"both":                               {input: token + "\n" + p.pem(), token: token, certificates: 1},
		"both, the other way round":          {input: p.pem() + token, token: token, certificates: 1},
		"a token between certificates":       {input: p.pem() + token + "\n" + ca.pem(), token: token, certificates: 2},
		"a header":                           {input: "Authorization: Bearer " + token, token: token},
		"the value of a header":              {input: "DPoP " + token, token: token},
		"the answer of a token endpoint":     {input: `{"access_token":"` + token + `","token_type":"Bearer"}`, token: token},
		"a TokenRequest":                     {input: `{"kind":"TokenRequest","status":{"token":"` + token + `"}}`, token: token},
		"a certificate with its private key": {input: p.pem() + p.keyPEM(t), certificates: 1, keys: 1},
		"a private key":                      {input: p.keyPEM(t), keys: 1},
		"nothing":                            {input: "\n"},
		"a word":                             {input: "token", refused: "neither a token nor a PEM certificate"},
		"two tokens":                         {input: token + "\n" + token, refused: "several lines"},
		"half a certificate":                 {input: p.pem()[:200], refused: "cannot be read"},
		"half a private key":                 {input: p.keyPEM(t)[:100], refused: "cannot be read"},
		"a half one before a whole one":      {input: p.pem()[:200] + "\n" + p.pem(), refused: "cannot be read"},
		"a request for a certificate":        {input: "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", refused: "no CERTIFICATE"},
		"no certificate in it":               {input: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", refused: "no X.509"},
		"a refusal":                          {input: `{"error":"invalid_client"}`, refused: "refused"},
		"other JSON":                         {input: `{"a":1}`, refused: "neither access_token"},
		"too much":                           {input: strings.Repeat("a", MaxInput+1), refused: "more than 1024 KiB"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			m, err := Read([]byte(test.input))
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("the error is %v, want in it: %s", err, test.refused)
				}
				return
			}
			if err != nil || m.Token != test.token || len(m.Certificates) != test.certificates || m.PrivateKeys != test.keys {
				t.Errorf("%v; %d certificates, %d keys, token as wanted: %v", err, len(m.Certificates), m.PrivateKeys, m.Token == test.token)
			}
		})
	}
}

// TestRefusesToObeyTheTerminal shows tokens whose claims hold what a terminal obeys.
func TestRefusesToObeyTheTerminal(t *testing.T) {
	p := newParty(t)
	for _, evil := range []string{"\x1b[2J", "\u009b2J", "a\rb", "a\nb", "\u202e", "\x00", "\x7f", "\u2028", "\U000e0041"} {
		token := sign(t, "k"+evil, p.key, "at+jwt", accessClaims(p, set("sub", evil), set(evil, evil), set("roles", []string{evil}), set("aud", "api://"+evil)))
		r := Inspect(Material{Token: token}, Facts{Now: now()})
		var b bytes.Buffer
		check(t, r.WriteText(&b, now(), func(_ Level, s string) string { return s }))
		asJSON, err := json.Marshal(r)
		check(t, err)
		for form, said := range map[string]string{"text": b.String(), "json": string(asJSON)} {
			for _, c := range strings.ReplaceAll(said, "\n", "") {
				if !unicode.IsPrint(c) {
					t.Errorf("%q: %U reaches the terminal as %s", evil, c, form)
				}
			}
		}
		if lines := strings.Count(b.String(), "\n"); lines > 50 {
			t.Errorf("%q: %d lines", evil, lines)
		}
		asYAML, err := yaml.Marshal(r)
		check(t, err)
		if strings.ContainsAny(string(asYAML), "\x1b\u009b\x00\x7f\r") {
			t.Errorf("%q: reaches the terminal as YAML:\n%q", evil, asYAML)
		}
		var back struct {
			Token struct {
				Claims map[string]any `json:"claims"`
			} `json:"token"`
		}
		check(t, json.Unmarshal(asJSON, &back))
		if back.Token.Claims["sub"] != evil && evil < "\U00010000" {
			t.Errorf("sub is %q after JSON, want %q", back.Token.Claims["sub"], evil)
		}
	}
}

// TestRefusesToShowSecrets: neither the token nor a key that was passed along is in
// what is printed.
func TestRefusesToShowSecrets(t *testing.T) {
	p := newParty(t)
	token := sign(t, "k", p.key, "at+jwt", accessClaims(p))
	m, err := Read([]byte(p.keyPEM(t) + p.pem() + token))
	check(t, err)
	r := Inspect(m, Facts{Now: now(), Keys: p.keys(t, "k"), KeysFrom: "file"})
	var b bytes.Buffer
	check(t, r.WriteText(&b, now(), func(_ Level, s string) string { return s }))
	data, err := json.Marshal(r)
	check(t, err)
	b.Write(data)
	signature := token[strings.LastIndex(token, ".")+1:]
	body := strings.Split(p.keyPEM(t), "\n")[1]
	for name, secret := range map[string]string{"the token": token, "its signature": signature, "the key": body} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("%s is shown", name)
		}
	}
	if !strings.Contains(b.String(), "a private key was given too") {
		t.Error("it does not say that a private key was given")
	}
}

func FuzzInspect(f *testing.F) {
	p := newParty(f)
	token := sign(f, "k", p.key, "at+jwt", accessClaims(p))
	f.Add([]byte(token))
	f.Add([]byte(p.pem() + token))
	f.Add([]byte(`{"access_token":"` + token + `"}`))
	f.Add([]byte(raw(`{"alg":"none"}`, `{"exp":1e400,"iat":"x","cnf":{"x5t#S256":1},"aud":["a",null]}`)))
	f.Add([]byte(raw(`{"typ":"dpop+jwt"}`, `{"sub":"\u001b[0m\ud800","a":`)))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n.."))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Read(data)
		if err != nil {
			for _, r := range err.Error() {
				if !unicode.IsPrint(r) {
					t.Errorf("%U in the error %q", r, err)
				}
			}
			return
		}
		r := Inspect(m, Facts{Now: now(), Keys: p.keys(t, "k")})
		var b bytes.Buffer
		check(t, r.WriteText(&b, now(), func(_ Level, s string) string { return s }))
		for _, c := range strings.ReplaceAll(b.String(), "\n", "") {
			if !unicode.IsPrint(c) {
				t.Fatalf("%U reaches the terminal", c)
			}
		}
		if r.Token != nil && r.Accepted && r.Token.Kind == NoToken {
			t.Error("what is no token is accepted")
		}
		if err := json.NewEncoder(io.Discard).Encode(r); err != nil {
			t.Error(err)
		}
	})
}

func TestCertificateAlone(t *testing.T) {
	p := newParty(t)
	tests := map[string]struct {
		at       time.Time
		accepted bool
	}{
		"in time":       {now(), true},
		"expired":       {now().Add(48 * time.Hour), false},
		"not valid yet": {now().Add(-48 * time.Hour), false},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			m, err := Read([]byte(p.pem()))
			check(t, err)
			if r := Inspect(m, Facts{Now: test.at}); r.Accepted != test.accepted {
				t.Errorf("%+v", r)
			}
		})
	}
}
