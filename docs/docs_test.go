// Package docs_test keeps the documentation true where a program can: what a page names
// must exist.
package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	testName   = regexp.MustCompile("`((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)`")
	testFunc   = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)[A-Z][A-Za-z0-9]*)\(`)
	metricName = regexp.MustCompile(`\blanyard_(?:issuer|controller|ingress|sidecar)_[a-z_]+[a-z]`)
	metricCode = regexp.MustCompile(`"(lanyard_(?:issuer|controller|ingress|sidecar)_[a-z_]+)"`)
	suffix     = regexp.MustCompile(`_(?:bucket|count|sum)$`)
	flagName   = regexp.MustCompile("`--([a-z][a-z-]+)")
	flagCode   = regexp.MustCompile(`VarP?\(&[a-z]+(?:\.[A-Za-z]+)?, "([a-z-]+)"`)
	link       = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// foreign are flags of other programs, which pages name as well.
const foreign = " authentication-config data data-urlencode dry-run grace-period help oidc-signing-algs server-side "

func TestPagesNameOnlyWhatExists(t *testing.T) {
	tests, metrics, flags := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, text := range read(t, "..", ".go") {
		collect(tests, testFunc, text)
		collect(metrics, metricCode, text)
		collect(flags, flagCode, text)
	}
	if len(tests) == 0 || len(metrics) == 0 || len(flags) == 0 {
		t.Fatalf("found %d tests, %d metrics and %d flags in the code", len(tests), len(metrics), len(flags))
	}
	for file, text := range read(t, ".", ".md") {
		for _, m := range testName.FindAllStringSubmatch(text, -1) {
			if !tests[m[1]] {
				t.Errorf("%s names the test %s, which is nowhere", file, m[1])
			}
		}
		for _, name := range metricName.FindAllString(text, -1) {
			if !metrics[name] && !metrics[suffix.ReplaceAllString(name, "")] {
				t.Errorf("%s names the metric %s, which is nowhere", file, name)
			}
		}
		for _, m := range flagName.FindAllStringSubmatch(text, -1) {
			if !flags[m[1]] && !strings.Contains(foreign, " "+m[1]+" ") {
				t.Errorf("%s names the flag --%s, which no program has", file, m[1])
			}
		}
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages := read(t, ".", ".md")
	for file, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			path, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(path, ":") || strings.HasPrefix(path, "NNNN") {
				continue // another site; a name to be filled in
			}
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			} else if page, ok := pages[target]; ok && anchor != "" && !anchors(page)[anchor] {
				t.Errorf("%s links to %s, where no heading is called so", file, m[1])
			}
		}
	}
}

// anchors are the names by which the headings of a page can be linked to.
func anchors(page string) map[string]bool {
	out := map[string]bool{}
	drop := regexp.MustCompile("[^a-z0-9 _-]")
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		out[strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return out
}

func collect(into map[string]bool, expression *regexp.Regexp, text string) {
	for _, m := range expression.FindAllStringSubmatch(text, -1) {
		into[m[1]] = true
	}
}

// read returns the files below root whose names end so. Hidden folders, such as the
// state of a demo, are none of ours.
func read(t *testing.T, root, end string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && path != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "node_modules"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, end):
			return nil
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
