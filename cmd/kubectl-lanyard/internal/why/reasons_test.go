package why

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Every word that the issuer's log gives as a reason is explained.
func TestEveryReasonOfTheIssuerHasASentence(t *testing.T) {
	words := regexp.MustCompile(`refuse\("([a-z_]+)"|\{jose\.Err[A-Za-z]+, "([a-z_]+)"\}|return "(assertion_[a-z_]+)"`)
	files, err := filepath.Glob("../../../../issuer/clientauth/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	explained, used := reasons(), map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range words.FindAllStringSubmatch(string(text), -1) {
			word := match[1] + match[2] + match[3]
			used[word] = true
			if explained[word] == "" {
				t.Errorf("%s: the reason %s has no sentence in reasons.go", filepath.Base(file), word)
			}
		}
	}
	for word := range explained {
		if !used[word] {
			t.Errorf("reasons.go explains %s, which no log says", word)
		}
	}
}
