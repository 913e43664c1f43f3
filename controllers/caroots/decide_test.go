package caroots

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newRoot makes a root that is valid from so many hours after noon, for 24 h.
func newRoot(t testing.TB, name string, hours int) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	from := noon.Add(time.Duration(hours) * time.Hour)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: from, NotAfter: from.Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return root
}

type roots = []*x509.Certificate

func TestWhatIsHandedOut(t *testing.T) {
	first, second, third := newRoot(t, "first", -23), newRoot(t, "second", -12), newRoot(t, "third", -1)
	past := newRoot(t, "past", -24)
	tests := map[string]struct {
		current, older, want roots
	}{
		"the current root":                        {roots{first}, nil, roots{first}},
		"the older one beside it":                 {roots{second}, roots{first}, roots{second, first}},
		"in one order, whatever they came in":     {roots{first, third}, roots{second, first}, roots{third, second, first}},
		"what the memory holds while there is no": {nil, roots{second, first}, roots{second, first}},
		"no expired one of the memory":            {roots{first}, roots{past}, roots{first}},
		"no expired one of the file":              {roots{past}, roots{first}, roots{first}},
		"nothing":                                 {nil, nil, nil},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			if got := encode(union(test.current, test.older, noon)); got != encode(test.want) {
				t.Errorf("%s\nwant\n%s", got, encode(test.want))
			}
		})
	}
	t.Run("the current ones stay where there are too many", func(t *testing.T) {
		current, older := newRoot(t, "current", -20), roots{}
		for range maxRoots + 5 {
			older = append(older, newRoot(t, "older", -10))
		}
		got := union(roots{current}, older, noon)
		if len(got) != maxRoots || !got[maxRoots-1].Equal(current) {
			t.Errorf("%d roots; want %d and the current one among them", len(got), maxRoots)
		}
	})
}

func TestDecide(t *testing.T) {
	root, older := newRoot(t, "root", -1), newRoot(t, "older", -2)
	text := encode(roots{root})
	holding := func(text string, change ...func(*corev1.ConfigMap)) *corev1.ConfigMap {
		held := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: v1alpha1.ConfigMapCA, Labels: map[string]string{labelManagedBy: managedBy}},
			Data:       map[string]string{v1alpha1.KeyCA: text},
		}
		digested(held, "lanyard-system")
		for _, c := range change {
			c(held)
		}
		return held
	}
	somebodys := func(c *corev1.ConfigMap) { c.Labels = nil }
	immutable := func(c *corev1.ConfigMap) { c.Immutable = new(true) }
	going := func(c *corev1.ConfigMap) { c.DeletionTimestamp = &metav1.Time{Time: noon} }
	tests := map[string]struct {
		needed  bool
		held    *corev1.ConfigMap
		current roots
		want    action
	}{
		"the first client":                                  {true, nil, roots{root}, apply},
		"no client and none there":                          {false, nil, roots{root}, nothing},
		"as it should be":                                   {true, holding(text), roots{root}, nothing},
		"somebody changed it":                               {true, holding("something"), roots{root}, apply},
		"somebody emptied it":                               {true, holding(text, func(c *corev1.ConfigMap) { c.Data = nil }), roots{root}, apply},
		"a new root":                                        {true, holding(encode(roots{older})), roots{root}, apply},
		"somebody wrote the digest in its place":            {true, holding(digest(text)), roots{root}, apply},
		"the last client is gone":                           {false, holding(text), roots{root}, remove},
		"somebody made it immutable":                        {true, holding("something", immutable), roots{root}, remove},
		"immutable, and as it should be":                    {true, holding(text, immutable), roots{root}, nothing},
		"it is being deleted":                               {true, holding(text, going), roots{root}, nothing},
		"somebody else's":                                   {true, holding("something", somebodys), roots{root}, leave},
		"somebody else's, of the same roots":                {true, holding(text, somebodys), roots{root}, leave},
		"somebody else's where there is no client":          {false, holding(text, somebodys), roots{root}, nothing},
		"no roots are known":                                {true, nil, nil, nothing},
		"no roots are known, and one is there":              {true, holding(text), nil, nothing},
		"no roots are known, and the last client is gone":   {false, holding(text), nil, remove},
		"every root has expired: better those than nothing": {true, holding(text), roots{newRoot(t, "past", -30)}, nothing},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			d := decide(observation{needed: test.needed, held: test.held, current: test.current}, false, noon)
			if d.action != test.want {
				t.Errorf("action %d; want %d", d.action, test.want)
			}
			if test.want == apply && d.text != text {
				t.Errorf("it is to hold\n%s", d.text)
			}
		})
	}
	t.Run("it is looked at again when the first root expires", func(t *testing.T) {
		d := decide(observation{needed: true, current: roots{root}, remembered: roots{older}}, true, noon)
		if !d.next.Equal(older.NotAfter) || d.roots != 2 {
			t.Errorf("again at %s, %d roots; want %s, 2", d.next, d.roots, older.NotAfter)
		}
	})
}

func TestRefusesToHandOutAPrivateKey(t *testing.T) {
	root := newRoot(t, "root", 0)
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("private")}))
	got, err := parseRoots([]byte("a comment\n" + key + encode(roots{root}) + key))
	if err != nil || encode(got) != encode(roots{root}) {
		t.Errorf("%v\n%s", err, encode(got))
	}
	for sentence, text := range map[string]string{
		"nothing":                     "",
		"no PEM":                      "-----BEGIN",
		"a key alone":                 key,
		"a certificate that is none":  string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
		"one that is, and one broken": encode(roots{root}) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
	} {
		if got, err := parseRoots([]byte(text)); err == nil || strings.Contains(err.Error(), "private\n") {
			t.Errorf("%s: %d roots, %v", sentence, len(got), err)
		}
	}
}

func FuzzParseRoots(f *testing.F) {
	f.Add([]byte(encode(roots{newRoot(f, "root", 0)})))
	f.Fuzz(func(t *testing.T, text []byte) {
		parsed, err := parseRoots(text)
		if err != nil {
			return
		}
		again, err := parseRoots([]byte(encode(parsed)))
		if err != nil || fmt.Sprint(encode(again)) != encode(parsed) {
			t.Errorf("what was written is read otherwise: %v", err)
		}
	})
}
