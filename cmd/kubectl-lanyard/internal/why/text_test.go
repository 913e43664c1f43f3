package why

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// What others wrote into objects must not look like a step, or like the answer.
func TestRefusesForgedSteps(t *testing.T) {
	const forged = "x\nFORGED passed"
	r := &Report{
		Client: forged, Resource: forged, ClientID: forged, Identifier: forged, Asks: Asks{Certificate: forged},
		Steps:       []Step{{Name: stepAuthentication, Verdict: Refused, Message: forged}, {Name: "roles", Verdict: Refused, Message: forged}},
		Credentials: []Credential{{Name: forged, Verdict: Refused, Message: forged}},
		Roles:       []Role{{Name: forged, Value: forged, State: forged, Assignment: forged, Message: forged + "!"}},
		Outcome:     TokenRefused, Refusal: &Refusal{Number: 1, Error: forged, Title: forged, Page: forged},
		Try:   []string{forged},
		Token: &Token{Audience: forged, Roles: []string{forged}, Scope: forged, BoundTo: forged},
	}
	var out bytes.Buffer
	s := cli.NewSession(strings.NewReader(""), &out, &out, time.Now, func(string) string { return "" })
	if err := (printer{s, true}).report(&out, r, time.Now()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "\nFORGED") {
		t.Errorf("a line of its own in\n%s", out.String())
	}
}
