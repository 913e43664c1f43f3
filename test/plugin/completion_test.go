package plugin

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl finds the plugin by its name, and completes it by the script that the plugin
// prints.
func TestKubectlRunsAndCompletesThePlugin(t *testing.T) {
	w := newWorld(t, "completion")
	script := run(t, w.vera, "completion", "kubectl").succeeds(t).stdout
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "kubectl_complete-lanyard"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	kubectl := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), env.KubectlPath(), args...)
		cmd.Env = []string{"HOME=" + dir, "KUBECONFIG=" + w.vera, "PATH=" + strings.Join([]string{dir, filepath.Dir(binary), os.Getenv("PATH")}, ":")}
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("kubectl %s: %v\n%s%s", strings.Join(args, " "), err, out, said.String())
		}
		return string(out)
	}
	if out := kubectl("lanyard", "status", "client/checkout", "-n", w.shop); !strings.Contains(out, "OAuthClient "+w.shop+"/checkout") {
		t.Errorf("kubectl lanyard prints\n%s", out)
	}
	tests := map[string]struct {
		typed []string
		want  string
	}{
		"commands":                          {[]string{"ap"}, "approve"},
		"kinds":                             {[]string{"status", ""}, "client/\nresource/\nrole/\n"},
		"names after a kind and a slash":    {[]string{"status", "-n", w.shop, "client/"}, "client/checkout\n"},
		"names after a kind":                {[]string{"status", "-n", w.orders, "role", ""}, "orders-read\n"},
		"clients that wait":                 {[]string{"approve", "-n", w.orders, ""}, w.shop + "/checkout\n"},
		"roles after the client":            {[]string{"deny", "-n", w.orders, w.shop + "/checkout", ""}, "orders-read\n"},
		"clients that can be suspended":     {[]string{"suspend", "-n", w.shop, ""}, "checkout\nresource/\n"},
		"resources that can be suspended":   {[]string{"suspend", "-n", w.orders, "resource/"}, "resource/orders\n"},
		"clients to ask as":                 {[]string{"token", "-n", w.shop, ""}, "checkout\n"},
		"clients to ask about":              {[]string{"why", "-n", w.shop, ""}, "checkout\n"},
		"no second client":                  {[]string{"token", "-n", w.shop, "checkout", ""}, ":4"},
		"formats":                           {[]string{"status", "-o", ""}, "wide\njson\nyaml\n"},
		"nothing of what may not be listed": {[]string{"status", "-n", "kube-system", "client/"}, ":4"},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			out := kubectl(append([]string{"__complete", "lanyard"}, test.typed...)...)
			if !strings.HasPrefix(out, test.want) {
				t.Errorf("kubectl completes %q with\n%s\nwant\n%s", test.typed, out, test.want)
			}
		})
	}
}
