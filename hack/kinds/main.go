// Command kinds writes the reference of Lanyard's kinds: a page with every field, from
// the CRDs, and every condition with its reasons, from the constants in Go. Its
// arguments are the folder of the CRDs, the file with the constants, and the page.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// crd is what the page tells of a CustomResourceDefinition.
type crd struct {
	Spec struct {
		Names struct {
			Kind       string   `json:"kind"`
			ShortNames []string `json:"shortNames"`
		} `json:"names"`
		Scope    string `json:"scope"`
		Versions []struct {
			Schema struct {
				OpenAPIV3Schema schema `json:"openAPIV3Schema"`
			} `json:"schema"`
		} `json:"versions"`
	} `json:"spec"`
}

// schema is what the page tells of one field.
type schema struct {
	Type        string            `json:"type"`
	Description string            `json:"description"`
	Default     any               `json:"default"`
	Enum        []string          `json:"enum"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Rules       []rule            `json:"x-kubernetes-validations"`
	MapType     string            `json:"x-kubernetes-map-type"`
}

type rule struct {
	Message string `json:"message"`
}

const head = `# Kinds

API group ` + "`lanyard.dev`, version `v1alpha1`" + `. What they are for: [concepts](../concepts.md). On a cluster
` + "`kubectl explain oauthclient.spec`" + ` says the same, and [config/samples](../../config/samples) are whole examples.

Written by ` + "`make generate`" + ` from the CRDs and from ` + "`api/v1alpha1/conditions.go`" + `.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kinds:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: kinds <folder of CRDs> <file of conditions> <page>")
	}
	files, err := filepath.Glob(filepath.Join(args[0], "*.yaml"))
	if err != nil || len(files) == 0 {
		return errors.Join(fmt.Errorf("%s holds no CRDs", args[0]), err)
	}
	var page strings.Builder
	page.WriteString(head)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var c crd
		if err := yaml.Unmarshal(data, &c); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if len(c.Spec.Versions) != 1 {
			return fmt.Errorf("%s has %d versions; the page has room for one", file, len(c.Spec.Versions))
		}
		writeKind(&page, c)
	}
	if err := writeConditions(&page, args[1]); err != nil {
		return err
	}
	return os.WriteFile(args[2], []byte(page.String()), 0o644)
}

func writeKind(page *strings.Builder, c crd) {
	root := c.Spec.Versions[0].Schema.OpenAPIV3Schema
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n%s", c.Spec.Names.Kind, prose(root.Description), c.Spec.Scope)
	if short := c.Spec.Names.ShortNames; len(short) > 0 {
		fmt.Fprintf(page, "; short name `%s`", strings.Join(short, "`, `"))
	}
	page.WriteString(".\n\n| field | type | what |\n| --- | --- | --- |\n")
	var messages []string
	for _, part := range []string{"spec", "status"} {
		if field, ok := root.Properties[part]; ok {
			messages = append(messages, writeFields(page, part, field)...)
		}
	}
	if len(messages) == 0 {
		return
	}
	page.WriteString("\nWhat the API server refuses, in its words:\n\n")
	for _, message := range messages {
		fmt.Fprintf(page, "- %s\n", prose(message))
	}
}

// writeFields writes a row for each field below path, and returns the messages of their
// rules.
func writeFields(page *strings.Builder, path string, of schema) (messages []string) {
	add := func(s schema) {
		for _, r := range s.Rules {
			if !slices.Contains(messages, r.Message) {
				messages = append(messages, r.Message)
			}
		}
	}
	add(of)
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		field := of.Properties[name]
		at, below := path+"."+name, field
		if field.Items != nil {
			at, below = at+"[]", *field.Items
		}
		fmt.Fprintf(page, "| `%s` | %s | %s |\n", at, typeOf(field, slices.Contains(of.Required, name)), meaning(field, below))
		add(field)
		// What Kubernetes itself defines is not told again.
		if name == "conditions" || below.MapType == "atomic" {
			continue
		}
		for _, message := range writeFields(page, at, below) {
			add(schema{Rules: []rule{{message}}})
		}
	}
	return messages
}

func typeOf(field schema, required bool) string {
	text := field.Type
	if field.Items != nil {
		text = "list"
	}
	if required {
		text += ", required"
	}
	return text
}

func meaning(field, below schema) string {
	text := prose(cmp.Or(field.Description, below.Description))
	if len(below.Enum) > 0 {
		text += " One of `" + strings.Join(below.Enum, "`, `") + "`."
	}
	told := strings.Contains(strings.ToLower(text), "default")
	if value, ok := field.Default.(string); ok && !told {
		text += " Default `" + value + "`."
	}
	return text
}

// prose is text on one line that Markdown shows as it is.
func prose(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("<", "&lt;", "|", `\|`, "*", `\*`, "[", `\[`).Replace(text)
}
