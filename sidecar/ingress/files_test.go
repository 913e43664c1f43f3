package ingress_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/lanyard-dev/lanyard/sidecar/ingress"
)

func TestReadsFilesAgain(t *testing.T) {
	name := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ingress.Load(ingress.RulesOf, name); err == nil {
		t.Error("a file that is not there was read")
	}
	write("rules: [{path: /a, methods: [GET], access: Anyone}]")
	f, err := ingress.Load(ingress.RulesOf, name)
	if err != nil {
		t.Fatal(err)
	}
	allows := func(path string) bool {
		_, ok := f.Get().Find("GET", path)
		return ok
	}
	for _, step := range []struct {
		text            string
		changed, failed bool
		allows          string
	}{
		{"rules: [{path: /a, methods: [GET], access: Anyone}]", false, false, "/a"},
		{"rules: [{path: /b, methods: [GET], access: Anyone}]", true, false, "/b"},
		{"rules: []", false, true, "/b"},
		{"rules: [{path: /c, methods: [GET], access: Anyone}]", true, false, "/c"},
	} {
		write(step.text)
		if changed, err := f.Read(); changed != step.changed || (err != nil) != step.failed || !allows(step.allows) {
			t.Errorf("%s: got %v, %v, %s allowed: %v", step.text, changed, err, step.allows, allows(step.allows))
		}
	}
}
