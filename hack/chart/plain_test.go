package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A value is written into manifests, in some places without quotes: one that is YAML itself would
// be read as more than its own field.
func TestRefusesValuesThatAreYAMLThemselves(t *testing.T) {
	t.Chdir(root)
	values, err := readValues()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("hack/chart")
	for _, text := range []string{"https://x\nhostNetwork: true", `https://x"y`, "https://x, y: z", "https://x}y"} {
		given := map[string]any{}
		var paths []string
		for _, v := range values {
			if v.kind() != "string" {
				continue
			}
			at := given
			for _, name := range v.path[:len(v.path)-1] {
				if at[name] == nil {
					at[name] = map[string]any{}
				}
				at = at[name].(map[string]any)
			}
			at[v.path[len(v.path)-1]] = text
			paths = append(paths, "'/"+strings.Join(v.path, "/")+"'")
		}
		file := filepath.Join(t.TempDir(), "values.json")
		written, err := json.Marshal(given)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, written, 0o600); err != nil {
			t.Fatal(err)
		}
		_, stderr, err := tool(t, "helm", "template", "lanyard", "charts/lanyard", "--values="+file)
		for _, path := range paths {
			if err == nil || !strings.Contains(stderr, "at "+path) {
				t.Errorf("%s may be %q", path, text)
			}
		}
	}
}
