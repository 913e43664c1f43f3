package oauth_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

var update = flag.Bool("update", false, "write the page instead of comparing it")

const (
	page  = "../../docs/reference/errors.md"
	pages = "../../docs/reference/errors"
)

// The page of error numbers and the table in code say the same.
func TestPageOfErrorsIsTheCatalogue(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Error numbers

Every refusal of the issuer has a number in ` + "`error_codes`" + `, and a ` + "`trace_id`" + ` under which the issuer's log tells more. 100xx
is about the request, 200xx about who asks, 300xx about what is asked for, 400xx about the binding of the token, 500xx about
the issuer itself; 410xx is what an API answers that checks tokens with package verifier. The description in an answer may be
more precise than the text here. Each number has a page: why it happens, and what to do.

Written by ` + "`go test ./issuer/oauth -update`" + ` from the table in ` + "`issuer/oauth/catalogue.go`" + `.

| number | ` + "`error`" + ` | what it means | what is answered |
| --- | --- | --- | --- |
`)
	for _, e := range oauth.Catalogue() {
		fmt.Fprintf(&b, "| [%d](errors/%d.md) | `%s` | %s | %s |\n", e.Number, e.Number, e.Code, e.Title, strings.ReplaceAll(e.Text, "|", `\|`))
	}
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != b.String() {
		t.Errorf("%s is not what the catalogue says; run go test ./issuer/oauth -update", page)
	}
}

// Each number has a page that begins with what the table says, and then tells why it
// happens and what to do. There is no page of a number that does not exist.
func TestEachNumberHasItsPage(t *testing.T) {
	left := map[string]bool{}
	files, err := os.ReadDir(pages)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		left[f.Name()] = true
	}
	for _, e := range oauth.Catalogue() {
		name := fmt.Sprintf("%d.md", e.Number)
		delete(left, name)
		text, err := os.ReadFile(filepath.Join(pages, name))
		if err != nil {
			t.Errorf("%d has no page: %v", e.Number, err)
			continue
		}
		rest, ok := strings.CutPrefix(string(text), fmt.Sprintf("# %d: %s\n\n`%s`: %s.\n\n## Why\n\n", e.Number, e.Title, e.Code, e.Text))
		if !ok {
			t.Errorf("%s does not begin with what the catalogue says", name)
			continue
		}
		why, do, ok := strings.Cut(rest, "\n\n## What to do\n\n")
		if !ok || len(why) < 40 || len(do) < 20 || !strings.HasSuffix(do, "\n") {
			t.Errorf("%s does not say why it happens and what to do", name)
		}
	}
	for name := range left {
		t.Errorf("%s is the page of no number", name)
	}
}

func TestCatalogueIsInOrderAndComplete(t *testing.T) {
	last := oauth.Number(0)
	for _, e := range oauth.Catalogue() {
		if e.Number <= last {
			t.Errorf("%d comes after %d", e.Number, last)
		}
		last = e.Number
		if e.Code == "" || e.Title == "" || e.Text == "" || e.Number.Code() != e.Code || e.Number.Title() != e.Title || e.Number.Text() != e.Text {
			t.Errorf("%d is not complete: %+v", e.Number, e)
		}
	}
	if unknown := oauth.Number(1); unknown.Code() != oauth.ServerError || unknown.Text() == "" {
		t.Errorf("an unknown number is %s: %s", unknown.Code(), unknown.Text())
	}
}

func TestErrorTellsTheClientLessThanTheLog(t *testing.T) {
	e := oauth.NewError(oauth.ErrIdentity, "").WithCause(fmt.Errorf("the pod is gone"))
	e.Reason = "pod_gone"
	if e.Description() != oauth.ErrIdentity.Text() || strings.Contains(e.Description(), "pod") {
		t.Errorf("the client reads %q", e.Description())
	}
	if log := e.Error(); !strings.Contains(log, "pod_gone") || !strings.Contains(log, "the pod is gone") {
		t.Errorf("the log reads %q", log)
	}
	if wrapped := oauth.AsError(fmt.Errorf("wrapped: %w", e)); wrapped != e {
		t.Errorf("unwrapped %v", wrapped)
	}
	if other := oauth.AsError(os.ErrNotExist); other.Number != oauth.ErrInternal || strings.Contains(other.Description(), "exist") {
		t.Errorf("an error that nobody planned became %v", other)
	}
}
