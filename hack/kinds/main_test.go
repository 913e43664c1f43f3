package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const definition = `
spec:
  names: {kind: Lamp, plural: lamps, shortNames: [lp]}
  scope: Namespaced
  versions:
  - additionalPrinterColumns:
    - {name: Ready}
    - {name: Message, priority: 1}
    schema:
      openAPIV3Schema:
        description: Lamp gives light.
        properties:
          spec:
            x-kubernetes-validations: [{message: a lamp cannot be changed}]
            required: [colour]
            properties:
              colour: {type: string, maxLength: 9, minLength: 1, enum: [Red, Green], description: colour of it., default: Red}
              since: {type: string, format: date-time, maxLength: 40, description: since when.}
              rooms:
                type: array
                description: rooms that it is in.
                maxItems: 4
                x-kubernetes-list-map-keys: [name]
                items:
                  type: object
                  properties:
                    name: {type: string, description: name of the room., x-kubernetes-validations: [{message: no attic}, {message: no attic}]}
              tags: {type: array, x-kubernetes-list-type: set, default: [a], items: {type: string, maxLength: 5}, description: 'tags, a by default.'}
`

const constants = `package v1

// Reasons of Lamp.
const (
	// ReasonLit: ConditionReady is True.
	ReasonLit = "Lit"
	// ConditionReady: it works.
	ConditionReady = "Ready"
)

// Reasons of events on Lamp.
const (
	EventBroken = "Broken" // it broke
	other       = 3
)

// Labels on rooms.
const (
	// LabelDark stands on a room without a lamp.
	LabelDark = "example.com/dark"
)
`

func TestPageTellsEverything(t *testing.T) {
	page, err := written(t, definition, constants)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Namespaced; `lamps`, short `lp`. `kubectl get` shows Ready; with `-o wide` also Message.",
		"| `spec.colour` | string of 1 to 9 characters; required | colour of it. One of `Red`, `Green`. Default `Red`. |",
		"| `spec.since` | time | since when. |",
		"| `spec.rooms[]` | list of at most 4 objects, one for each `name` | rooms that it is in. |",
		"| `spec.rooms[].name` | string | name of the room. |",
		"| `spec.tags[]` | list of strings of at most 5 characters, none twice | tags, a by default. |",
		"words:\n\n- `spec`: a lamp cannot be changed\n- `spec.rooms[].name`: no attic\n\n",
		"| `Lit` | `Ready` is True. |",
		"| `Broken` | it broke |",
		"| `example.com/dark` | stands on a room without a lamp. |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
}

func TestConstantsWithoutAWordAreRefused(t *testing.T) {
	for name, source := range map[string]string{
		"a reason without a comment":  `package v1; const (ReasonDark = "Dark")`,
		"a reason outside of a block": "package v1\n// ReasonDark: no light.\nconst ReasonDark = \"Dark\"",
		"a reason that is computed":   "package v1\nconst (\n// ReasonDark: no light.\nReasonDark = \"Da\" + \"rk\")",
	} {
		if _, err := written(t, definition, source); err == nil || !strings.Contains(err.Error(), "ReasonDark") {
			t.Errorf("%s: %v; want an error that names it", name, err)
		}
	}
}

// written is the page of one CRD and one file of constants.
func written(t *testing.T, definition, constants string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	page := filepath.Join(dir, "kinds.md")
	for file, content := range map[string]string{"crd.yaml": definition, "constants.go": constants} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run([]string{dir, page, dir}); err != nil {
		return "", err
	}
	text, err := os.ReadFile(page)
	return string(text), err
}
