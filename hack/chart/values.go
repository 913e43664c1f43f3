package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"
)

const valuesFile = "charts/lanyard/values.yaml"

// value is one that a user may set: a key of values.yaml with a comment above it. A key
// without one is a section, which holds others.
type value struct {
	path   []string
	doc    string
	schema map[string]any // what "# @schema {…}" says beside the type
	node   *yaml.Node
}

// readValues reads what can be set, in the order of the file.
func readValues() ([]value, error) {
	data, err := os.ReadFile(valuesFile)
	if err != nil {
		return nil, err
	}
	var file yaml.Node
	if err := yaml.Unmarshal(data, &file); err != nil {
		return nil, fmt.Errorf("%s: %w", valuesFile, err)
	}
	return below(nil, file.Content[0])
}

func below(path []string, section *yaml.Node) ([]value, error) {
	var all []value
	for i := 0; i < len(section.Content); i += 2 {
		key, node := section.Content[i], section.Content[i+1]
		at := append(append([]string{}, path...), key.Value)
		if key.HeadComment == "" {
			if node.Kind != yaml.MappingNode {
				return nil, fmt.Errorf("%s:%d: %s has no comment above it that says what it is", valuesFile, key.Line, strings.Join(at, "."))
			}
			inner, err := below(at, node)
			if err != nil {
				return nil, err
			}
			all = append(all, inner...)
			continue
		}
		v := value{path: at, node: node}
		if err := v.read(key.HeadComment); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", valuesFile, key.Line, err)
		}
		all = append(all, v)
	}
	return all, nil
}

// read reads the comment above a value.
func (v *value) read(comment string) error {
	var doc []string
	for line := range strings.SplitSeq(comment, "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "#"))
		if schema, found := strings.CutPrefix(line, "@schema "); found {
			if err := json.Unmarshal([]byte(schema), &v.schema); err != nil {
				return fmt.Errorf("@schema of %s: %w", v.name(), err)
			}
			continue
		}
		doc = append(doc, line)
	}
	v.doc = strings.Join(doc, " ")
	return nil
}

func (v value) name() string { return strings.Join(v.path, ".") }

// kind is its JSON type, by its default.
func (v value) kind() string {
	switch v.node.Tag {
	case "!!map":
		return "object"
	case "!!seq":
		return "array"
	case "!!bool":
		return "boolean"
	case "!!int":
		return "integer"
	}
	return "string"
}

// standard is its default, as it would be written in one line.
func (v value) standard() (string, error) {
	var plain any
	if err := v.node.Decode(&plain); err != nil {
		return "", err
	}
	text, err := json.Marshal(plain)
	return string(text), err
}
