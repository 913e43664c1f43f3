package jose_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// body puts more members behind those of a good payload.
func body(t testing.TB, more string) string {
	t.Helper()
	return strings.TrimSuffix(good().json(t), "}") + "," + more + "}"
}

func TestRefusesDuplicateClaim(t *testing.T) {
	for name, more := range map[string]string{
		"sub twice":              `"sub":"shop/other"`,
		"sub written in escapes": `"\u0073\u0075\u0062":"shop/other"`,
		"a private claim":        `"x":1,"x":2`,
		"in a nested object":     `"kubernetes.io":{"namespace":"a","namespace":"b"}`,
		"in an object in a list": `"x":[[{"a":1,"b":2,"a":3}]]`,
		"of the first of many":   `"m":{` + manyMembers(40) + `,"m3":1}`,
		"of the last of many":    `"m":{` + manyMembers(40) + `,"m39":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, token(t, goodHeader, body(t, more)), expected(), jose.ErrMalformed)
		})
	}
}

// manyMembers are "m0":0 to "m<n-1>":0.
func manyMembers(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"m%d":0`, i)
	}
	return strings.Join(members, ",")
}

func TestRefusesCaseFoldedClaim(t *testing.T) {
	for _, name := range []string{"SUB", "ſub", "Exp", "AUD", "iSs", "\\u017fub", "Roles", "CNF", "\u212aubernetes.io", "Client_ID"} {
		refused(t, token(t, goodHeader, body(t, `"`+name+`":"x"`)), expected(), jose.ErrClaims)
	}
	refused(t, token(t, `{"alg":"ES256","KID":"x","kid":"key-ES256","typ":"at+jwt"}`, good().json(t)), expected(), jose.ErrMalformed)
}

func TestDecodeClaimsMatchesNamesExactly(t *testing.T) {
	var v struct {
		Groups []string `json:"groups"`
	}
	if err := jose.DecodeClaims([]byte(`{"GROUPS":["admin"]}`), &v); err != nil || v.Groups != nil {
		t.Errorf("got %v, %v; want nothing", v.Groups, err)
	}
	if err := jose.DecodeClaims([]byte(`{"groups":"admin"}`), &v); !errors.Is(err, jose.ErrClaims) {
		t.Errorf("got %v, want ErrClaims", err)
	}
}

func TestRefusesTooLongToken(t *testing.T) {
	for _, size := range []int{jose.MaxTokenBytes, 1 << 20} {
		refused(t, token(t, goodHeader, body(t, `"x":"`+strings.Repeat("a", size)+`"`)), expected(), jose.ErrMalformed)
	}
}

func TestRefusesNestedJSON(t *testing.T) {
	for _, deep := range []string{
		strings.Repeat("[", 20) + strings.Repeat("]", 20),
		strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20),
		strings.Repeat("[", 10000),
	} {
		refused(t, token(t, goodHeader, body(t, `"x":`+deep)), expected(), jose.ErrMalformed)
	}
}

func TestRefusesInvalidJSON(t *testing.T) {
	for _, text := range []string{
		``, ` `, `null`, `[]`, `"x"`, `{`, `{}x`, `{} {}`, "{}\x00", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{'a':1}`, `{a:1}`,
		`{"a":01}`, `{"a":+1}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":0x10}`, `{"a":tru}`, `{"a":[1,]}`,
		`{"a":[1 2]}`, `{"a":[`, `{"a":"`, `{"a":"\`, `{"a":"\x"}`, `{"a":"\u12"}`, "{\"a\":\"\n\"}", "{\"a\":\"\x00\"}", "{\"\xff\":1}", "{\"a\":\"\xc0\xaf\"}",
		`{"\ud800":1}`, `{"\udc00x":1}`, "\ufeff{}", "{\"a\":\"\xed\xa0\x80\"}", `{"a":1}/**/`, `{/**/"a":1}`,
	} {
		if _, err := jose.ParseUnverified(segment(goodHeader) + "." + segment(text) + ".AAAA"); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("payload %q: got %v, want ErrMalformed", text, err)
		}
		if _, err := jose.ParseUnverified(segment(text) + "." + segment("{}") + ".AAAA"); !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("header %q: got %v, want ErrMalformed", text, err)
		}
	}
}

func TestAcceptsValidJSON(t *testing.T) {
	for _, text := range []string{
		`{}`, " {\n\t} \r\n", `{"":0}`, `{"a":-0.5e+10,"b":[],"c":{},"d":[true,false,null,"x"]}`, `{"a":"\"\\\/\b\f\n\r\t\u00e9"}`,
		`{"a":"\ud83d\ude00 😀"}`, `{"a":"\ufffd � \\ufffd"}`, `{"a":[1, 2 ,3 ]}`, `{ "a" : 1 , "b" : 2 }`, `{"a":{"x":1},"b":{"x":1}}`,
	} {
		if _, err := jose.ParseUnverified(segment(goodHeader) + "." + segment(text) + ".AAAA"); err != nil {
			t.Errorf("payload %q: %v", text, err)
		}
	}
}

func TestRefusesWrongNumberOfParts(t *testing.T) {
	raw := token(t, goodHeader, good().json(t))
	head, rest, _ := strings.Cut(raw, ".")
	for _, text := range []string{"", ".", "..", "...", head, head + "." + rest + ".", "." + raw, raw + "." + head, head + ".." + rest, raw + "." + head + "." + head} {
		refused(t, text, expected(), jose.ErrMalformed)
	}
}

func TestRefusesInvalidBase64(t *testing.T) {
	raw := token(t, goodHeader, good().json(t))
	parts := strings.Split(raw, ".")
	for i := range parts {
		for name, change := range map[string]func(string) string{
			"padding":       func(s string) string { return s + "=" },
			"line break":    func(s string) string { return s[:4] + "\n" + s[4:] },
			"return":        func(s string) string { return s + "\r" },
			"space":         func(s string) string { return " " + s },
			"other letters": func(s string) string { return "+/" + s[2:] },
			"one over":      func(s string) string { return s[:len(s)/4*4] + "A" },
			"NUL":           func(s string) string { return s + "\x00" },
		} {
			t.Run(name, func(t *testing.T) {
				changed := append([]string(nil), parts...)
				changed[i] = change(changed[i])
				refused(t, strings.Join(changed, "."), expected(), jose.ErrMalformed)
			})
		}
	}
}

func TestRefusesTrailingBitsInBase64(t *testing.T) {
	raw := token(t, goodHeader, good().json(t))
	// 64 bytes leave 4 bits of the last letter unused.
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, raw[len(raw)-1])
	twin := raw[:len(raw)-1] + string(letters[last|1])
	a, _ := base64.RawURLEncoding.DecodeString(raw[strings.LastIndexByte(raw, '.')+1:])
	b, _ := base64.RawURLEncoding.DecodeString(twin[strings.LastIndexByte(twin, '.')+1:])
	if string(a) != string(b) || twin == raw {
		t.Fatal("the twin is not another text for the same bytes")
	}
	refused(t, twin, expected(), jose.ErrMalformed)
}
