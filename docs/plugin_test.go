package docs_test

import (
	"regexp"
	"strings"
	"testing"
)

var (
	typed      = regexp.MustCompile("kubectl lanyard ([a-z]+)([^\n`]*)")
	typedFlag  = regexp.MustCompile(` --([a-z][a-z-]*)`)
	pluginName = regexp.MustCompile(`Use: +"([a-z]+)[ "]`)
	pluginFlag = regexp.MustCompile(`VarP?\(&[A-Za-z.]+, "([a-z-]+)"`)
)

// givenFlags are those that kubectl and cobra give every command, and givenNames the
// commands that cobra adds.
const (
	givenFlags = " as as-group context help kubeconfig namespace version "
	givenNames = " completion help "
)

func TestPagesTypeOnlyCommandsThatThePluginHas(t *testing.T) {
	names, flags := map[string]bool{}, map[string]bool{}
	for _, text := range read(t, "../cmd/kubectl-lanyard", ".go") {
		collect(names, pluginName, text)
		collect(flags, pluginFlag, text)
	}
	if len(names) == 0 || len(flags) == 0 {
		t.Fatalf("found %d commands and %d flags in the code", len(names), len(flags))
	}
	for file, text := range read(t, "..", ".md") {
		for _, m := range typed.FindAllStringSubmatch(text, -1) {
			if !names[m[1]] && !strings.Contains(givenNames, " "+m[1]+" ") {
				t.Errorf("%s types %q; the plugin has no command %s", file, m[0], m[1])
			}
			command, _, _ := strings.Cut(m[2], " #")
			for _, flag := range typedFlag.FindAllStringSubmatch(command, -1) {
				if !flags[flag[1]] && !strings.Contains(givenFlags, " "+flag[1]+" ") {
					t.Errorf("%s types %q; the plugin has no flag --%s", file, m[0], flag[1])
				}
			}
		}
	}
}
