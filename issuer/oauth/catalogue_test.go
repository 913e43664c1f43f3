package oauth_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

var update = flag.Bool("update", false, "write the page instead of comparing it")

const page = "../../docs/reference/errors.md"

// The page of error numbers and the table in code say the same.
func TestPageOfErrorsIsTheCatalogue(t *testing.T) {
	var b strings.Builder
	b.WriteString(`# Error numbers

Every error of the token endpoint has a number in ` + "`error_codes`" + `, and a ` + "`trace_id`" + ` under which the issuer's log tells more. 100xx
is about the request, 200xx about who asks, 300xx about what is asked for, 400xx about the binding of the token, 500xx about
the issuer itself. The description in an answer may be more precise than the text here.

Written by ` + "`go test ./issuer/oauth -update`" + ` from the table in ` + "`issuer/oauth/catalogue.go`" + `.

| number | ` + "`error`" + ` | what it means | what is answered |
| --- | --- | --- | --- |
`)
	for _, e := range oauth.Catalogue() {
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", e.Number, e.Code, e.Title, strings.ReplaceAll(e.Text, "|", `\|`))
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
