package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// alert is one of charts/lanyard/files/alerts.yaml.
type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func alerts(t *testing.T) []alert {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []alert `json:"rules"`
		} `json:"groups"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "charts/lanyard/files/alerts.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	var all []alert
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// An operator who is woken is told what is wrong, and where it stands what to do.
func TestEachAlertHasAPageThatSaysWhatToDo(t *testing.T) {
	for _, a := range alerts(t) {
		if a.Labels["severity"] == "" || a.Annotations["summary"] == "" || a.Annotations["description"] == "" {
			t.Errorf("%s lacks a severity, a summary or a description", a.Alert)
		}
		page, anchor, _ := strings.Cut(strings.TrimPrefix(a.Annotations["runbook_url"], "RUNBOOKS/"), "#")
		if !strings.Contains(headings(read(t, "docs/operations/"+page)), "\n"+anchor+"\n") {
			t.Errorf("%s leads to docs/operations/%s, which has no heading %q", a.Alert, page, anchor)
		}
	}
}

// headings are the anchors of a page, each in a line.
func headings(page string) string {
	var out strings.Builder
	out.WriteString("\n")
	for line := range strings.Lines(page) {
		if !strings.HasPrefix(line, "#") {
			continue
		}
		name := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
		out.WriteString(strings.ReplaceAll(regexp.MustCompile("[^a-z0-9 _-]").ReplaceAllString(name, ""), " ", "-") + "\n")
	}
	return out.String()
}

var (
	metric = regexp.MustCompile(`\blanyard_[a-z_]+[a-z]`)
	series = regexp.MustCompile(`_(bucket|count|sum)$`)
)

func TestAlertsAndDashboardNameOnlyMetricsThatExist(t *testing.T) {
	code := map[string]bool{}
	for _, folder := range []string{"controllers", "issuer", "cmd", "sidecar"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, name := range metric.FindAllString(string(text), -1) {
				code[name] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	texts := map[string]string{"the dashboard": read(t, "charts/lanyard/files/dashboard.json")}
	for _, a := range alerts(t) {
		texts[a.Alert] = a.Expr
	}
	for where, text := range texts {
		for _, name := range metric.FindAllString(text, -1) {
			if !code[name] && !code[series.ReplaceAllString(name, "")] {
				t.Errorf("%s names the metric %s, which no program has", where, name)
			}
		}
	}
}
