package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// cluster is an API server that has ConfigMap lanyard-sidecar with those images, and nothing else.
func cluster(t *testing.T, images string) (kubeconfig string) {
	t.Helper()
	group := object{"kind": "APIResourceList", "groupVersion": "v1", "resources": []any{
		object{"name": "configmaps", "namespaced": true, "kind": "ConfigMap", "verbs": []string{"get", "list"}},
	}}
	answers := map[string]any{
		"/version": object{"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
		"/api":     object{"kind": "APIVersions", "versions": []string{"v1"}},
		"/apis":    object{"kind": "APIGroupList", "apiVersion": "v1", "groups": []any{}},
		"/api/v1":  group,
		"/api/v1/namespaces/lanyard-system/configmaps/lanyard-sidecar": object{
			"apiVersion": "v1", "kind": "ConfigMap", "data": object{"images": images},
			"metadata": object{"name": "lanyard-sidecar", "namespace": "lanyard-system"},
		},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := answers[r.URL.Path]
		w.Header().Set("Content-Type", "application/json")
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			answer = object{"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"x","contexts":[{"name":"x","context":{"cluster":"x","user":"x"}}],"users":[{"name":"x","user":{}}],"clusters":[{"name":"x","cluster":{"server":"` + server.URL + `"}}]}`
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

// Who may write ConfigMaps in Lanyard's namespace does not write into what the platform's next
// upgrade applies.
func TestRefusesManifestsInTheListOfImages(t *testing.T) {
	for name, tc := range map[string]struct{ before, want string }{
		"the image before is kept":            {"registry.example/lanyard:0.1.0", "registry.example/lanyard:0.1.0"},
		"an object":                           {"x'\"\n---\napiVersion:\tv1\nkind:\tConfigMap\nmetadata:\t{\"name\":\"planted\"}\nrest:\t|\t#", ""},
		"an expression of the policy's":       {"x'.split('')+['planted", ""},
		"an image behind what is none":        {"it's registry.example/lanyard:0.1.0", "registry.example/lanyard:0.1.0"},
		"a line's end behind an image's name": {"planted\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			objects := template(t, "helm3", "--dry-run=server", "--kubeconfig="+cluster(t, tc.before))
			if objects["ConfigMap planted"] != nil {
				t.Error("an object that the chart does not have is applied")
			}
			data, _ := objects["ConfigMap lanyard-sidecar.lanyard-system"]["data"].(object)
			images, _ := data["images"].(string)
			_, before, _ := strings.Cut(images, " ")
			if before != tc.want {
				t.Errorf("images are %q: beside the chart's own %q, want %q", images, before, tc.want)
			}
		})
	}
}
