// Command chart writes the parts of the Helm chart that say what config/ says: the kinds,
// the roles, the policies, the webhooks. Run it in the checkout's root: `make generate`.
//
// The files stay text all the way, so that their comments, which say why, reach whoever reads
// the chart, and a difference in config/ is the same difference in the chart.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const templates = "charts/lanyard/templates"

// part is a folder of templates, and where each of its files comes from.
type part struct {
	folder string
	from   []string // patterns
	when   string   // value that it needs; "": always
	edit   []func(document) document
}

// parts are what the chart has of config/. What is not here (Deployments, Services,
// certificates) depends on values throughout, and a test compares it.
var parts = []part{
	{folder: "crds", from: []string{"config/crd/bases/*.yaml"}, when: ".Values.crds.enabled", edit: []func(document) document{kept}},
	{folder: "rbac", from: []string{"config/rbac/*.yaml"}, edit: []func(document) document{aggregated}},
	{folder: "policies", from: []string{"config/policies/*.yaml"}, edit: []func(document) document{accepting}},
	{folder: "webhook", from: []string{"config/webhook/*.yaml"}, edit: []func(document) document{trusted}},
	{folder: "client-secrets", from: []string{"config/components/client-secrets/*.yaml"}, when: ".Values.clientSecrets.enabled"},
}

// notManifests are files of these folders that the chart has no use for, or has in its own way.
var notManifests = map[string]bool{
	"config/webhook/certificate.yaml": true, // templates/certificates.yaml
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "chart:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 0 {
		return errors.New("usage: chart (in the root of the checkout)")
	}
	for _, p := range parts {
		if err := p.write(); err != nil {
			return err
		}
	}
	return writeReferences()
}

// write writes the folder anew: what has left config/ leaves the chart.
func (p part) write() error {
	folder := filepath.Join(templates, p.folder)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	for _, pattern := range p.from {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, name := range names {
			if notManifests[name] || filepath.Base(name) == "kustomization.yaml" {
				continue
			}
			source, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			text, err := p.template(name, string(source))
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if err := os.WriteFile(filepath.Join(folder, filepath.Base(name)), []byte(text), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// template is the file of the chart that says what a file of config/ says.
func (p part) template(name, source string) (string, error) {
	var out []string
	for text := range strings.SplitSeq(strings.TrimPrefix(source, "---\n"), "\n---\n") {
		d := escape(document(text))
		if !strings.Contains("\n"+string(d), "\nkind: ") {
			return "", errors.New("a document has no kind at the beginning of a line")
		}
		for _, edit := range p.edit {
			d = edit(d)
		}
		d, err := labelled(d)
		if err != nil {
			return "", err
		}
		out = append(out, strings.TrimSpace(string(namespaced(d)))+"\n")
	}
	text := strings.Join(out, "---\n")
	if p.when != "" {
		text = "{{- if " + p.when + " }}\n" + text + "{{- end }}\n"
	}
	return fmt.Sprintf("{{- /* Written by hack/chart from %s: change that, and run make generate. */ -}}\n%s", name, text), nil
}
