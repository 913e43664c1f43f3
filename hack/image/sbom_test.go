package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

func TestTheBillNamesWhatIsInside(t *testing.T) {
	program := filepath.Join(t.TempDir(), "lanyard-sidecar")
	if message, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/sidecar").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := SBOM(&out, "lanyard:1.2", map[string]string{"/lanyard-sidecar": program}); err != nil {
		t.Fatal(err)
	}
	bill := decode[bom](t, out.Bytes())
	checkValid(t, out.Bytes(), bill)
	if top := bill.Metadata.Component; top.Name != "lanyard" || top.Version != "1.2" || top.Type != "container" {
		t.Errorf("the bill is of %+v", top)
	}
	byName := map[string]component{}
	for _, c := range bill.Components {
		byName[c.Name] = c
	}
	sum := sha256.Sum256(data)
	if got := byName["lanyard-sidecar"]; got.Type != "application" || len(got.Hashes) != 1 || got.Hashes[0] != (hash{"SHA-256", hex.EncodeToString(sum[:])}) {
		t.Errorf("the program: %+v", got)
	}
	if got := byName["stdlib"]; got.PURL != "pkg:golang/stdlib@"+url.QueryEscape(strings.TrimPrefix(runtime.Version(), "go")) {
		t.Errorf("the standard library: %+v", got)
	}
	if got := byName["github.com/golang-jwt/jwt/v5"]; got.Type != "library" || !strings.HasPrefix(got.PURL, "pkg:golang/github.com/golang-jwt/jwt/v5@v") || len(got.Properties) != 1 {
		t.Errorf("a module: %+v", got)
	}
	if _, found := byName["k8s.io/client-go"]; found {
		t.Error("the bill names a module that is in go.mod, but not in the program")
	}
}

// checkValid checks what the schema of CycloneDX 1.6 requires of the parts that are used here.
func checkValid(t *testing.T, text []byte, bill bom) {
	t.Helper()
	raw := decode[map[string]any](t, text)
	for key := range raw {
		if !slices.Contains([]string{"bomFormat", "specVersion", "version", "metadata", "components", "dependencies"}, key) {
			t.Errorf("the schema has no %q", key)
		}
	}
	if bill.Format != "CycloneDX" || bill.SpecVersion != "1.6" || bill.Version < 1 {
		t.Errorf("%s %s, version %d", bill.Format, bill.SpecVersion, bill.Version)
	}
	refs := map[string]bool{}
	for _, c := range append(bill.Components, bill.Metadata.Component) {
		if refs[c.Ref] {
			t.Errorf("bom-ref %q is there twice", c.Ref)
		}
		refs[c.Ref] = true
		if c.Name == "" || !slices.Contains([]string{"application", "library", "container"}, c.Type) {
			t.Errorf("a component needs a type and a name: %+v", c)
		}
		for _, h := range c.Hashes {
			if !regexp.MustCompile(`^[a-f0-9]{64}$`).MatchString(h.Content) {
				t.Errorf("%s: %+v is no SHA-256", c.Name, h)
			}
		}
	}
	seen := map[string]bool{}
	for _, d := range bill.Dependencies {
		for _, ref := range append(d.DependsOn, d.Ref) {
			if !refs[ref] {
				t.Errorf("a dependency names %q, which is no component", ref)
			}
		}
		if seen[d.Ref] {
			t.Errorf("the dependencies of %q are there twice", d.Ref)
		}
		seen[d.Ref] = true
		if unique := slices.Compact(slices.Sorted(slices.Values(d.DependsOn))); len(unique) != len(d.DependsOn) {
			t.Errorf("%s depends on something twice", d.Ref)
		}
	}
}

func TestNoBillForAProgramThatSaysNothingOfItself(t *testing.T) {
	if err := SBOM(&bytes.Buffer{}, "x", map[string]string{"/sh": "/bin/sh"}); err == nil {
		t.Error("a bill was written")
	}
}
