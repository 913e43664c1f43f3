// Command kinds writes the reference of Lanyard's kinds: a page with every field, its
// type, default and limits, and what the API server refuses, from the CRDs; and every
// condition, event, annotation and label, from the constants in Go. Its arguments are
// the folder of the CRDs, the page, and the folders with the constants.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// crd is what the page tells of a CustomResourceDefinition.
type crd struct {
	Spec struct {
		Names struct {
			Kind       string   `json:"kind"`
			Plural     string   `json:"plural"`
			ShortNames []string `json:"shortNames"`
		} `json:"names"`
		Scope    string    `json:"scope"`
		Versions []version `json:"versions"`
	} `json:"spec"`
}

type version struct {
	Columns []column `json:"additionalPrinterColumns"`
	Schema  struct {
		OpenAPIV3Schema schema `json:"openAPIV3Schema"`
	} `json:"schema"`
}

// column is what kubectl get shows; with a priority only with -o wide.
type column struct {
	Name     string `json:"name"`
	Priority int    `json:"priority"`
}

const head = `# Kinds

API group ` + "`lanyard.dev`, version `v1alpha1`" + `. What they are for: [concepts](../concepts.md). On a cluster
` + "`kubectl explain oauthclient.spec`" + ` says the same, ` + "`kubectl get lanyard`" + ` lists objects of all kinds, and
[config/samples](../../config/samples) are whole examples. Below the kinds: [conditions and reasons](#conditions-and-reasons),
[events](#events), [annotations and labels](#annotations-and-labels).

Written by ` + "`make generate`" + ` from the CRDs and from the constants in ` + "`api/v1alpha1` and `controllers`" + `.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "kinds:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 3 {
		return errors.New("usage: kinds <folder of CRDs> <page> <folder of constants> [more of them]")
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
	if err := writeConstants(&page, args[2:]); err != nil {
		return err
	}
	return os.WriteFile(args[1], []byte(page.String()), 0o644)
}

func writeKind(page *strings.Builder, c crd) {
	root := c.Spec.Versions[0].Schema.OpenAPIV3Schema
	names := c.Spec.Names
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n%s; `%s`", names.Kind, prose(root.Description), c.Spec.Scope, names.Plural)
	if len(names.ShortNames) > 0 {
		fmt.Fprintf(page, ", short `%s`", strings.Join(names.ShortNames, "`, `"))
	}
	page.WriteString("." + columns(c.Spec.Versions[0].Columns) + "\n\n| field | type | what |\n| --- | --- | --- |\n")
	refusals := writeFields(page, root)
	if len(refusals) == 0 {
		return
	}
	page.WriteString("\nWhat the API server refuses, in its words:\n\n")
	for _, r := range refusals {
		fmt.Fprintf(page, "- `%s`: %s\n", r.path, prose(r.message))
	}
}

// columns says what kubectl get shows of the kind.
func columns(all []column) string {
	var always, wide []string
	for _, c := range all {
		if c.Priority == 0 {
			always = append(always, c.Name)
		} else {
			wide = append(wide, c.Name)
		}
	}
	text := ""
	if len(always) > 0 {
		text = " `kubectl get` shows " + strings.Join(always, ", ")
		if len(wide) > 0 {
			text += "; with `-o wide` also " + strings.Join(wide, ", ")
		}
		text += "."
	}
	return text
}

// prose is text on one line that Markdown shows as it is.
func prose(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer("<", "&lt;", "|", `\|`, "*", `\*`, "[", `\[`).Replace(text)
}
