package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// schema is what the page tells of one field.
type schema struct {
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Default     any               `json:"default"`
	Enum        []string          `json:"enum"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Rules       []rule            `json:"x-kubernetes-validations"`
	MapType     string            `json:"x-kubernetes-map-type"`
	ListType    string            `json:"x-kubernetes-list-type"`
	ListKeys    []string          `json:"x-kubernetes-list-map-keys"`
	MinLength   int               `json:"minLength"`
	MaxLength   int               `json:"maxLength"`
	MinItems    int               `json:"minItems"`
	MaxItems    int               `json:"maxItems"`
}

type rule struct {
	Message string `json:"message"`
}

// refusal is the message of a rule, and the field that it is of.
type refusal struct{ path, message string }

// writeFields writes a row for each field of spec and status, and returns what the API
// server refuses.
func writeFields(page *strings.Builder, root schema) (refusals []refusal) {
	for _, part := range []string{"spec", "status"} {
		if field, ok := root.Properties[part]; ok {
			refusals = append(refusals, refusalsOf(part, field)...)
			refusals = append(refusals, writeBelow(page, part, field)...)
		}
	}
	return refusals
}

// writeBelow writes a row for each field below path.
func writeBelow(page *strings.Builder, path string, of schema) (refusals []refusal) {
	for _, name := range slices.Sorted(maps.Keys(of.Properties)) {
		field := of.Properties[name]
		at, below := path+"."+name, field
		if field.Items != nil {
			refusals = append(refusals, refusalsOf(at, field)...)
			at, below = at+"[]", *field.Items
		}
		fmt.Fprintf(page, "| `%s` | %s | %s |\n", at, typeOf(field, slices.Contains(of.Required, name)), meaning(field, below))
		refusals = append(refusals, refusalsOf(at, below)...)
		// What Kubernetes itself defines is not told again.
		if name == "conditions" || below.MapType == "atomic" {
			continue
		}
		refusals = append(refusals, writeBelow(page, at, below)...)
	}
	return refusals
}

func refusalsOf(path string, field schema) (out []refusal) {
	for _, r := range field.Rules {
		if one := (refusal{path, r.Message}); !slices.Contains(out, one) {
			out = append(out, one) // several rules may say the same
		}
	}
	return out
}

// typeOf says what may stand in a field: type, limits, and whether it must.
func typeOf(field schema, required bool) string {
	text := field.plain()
	if field.Items != nil {
		text = "list of " + count(field.MinItems, field.MaxItems, field.Items.plain()) + field.Items.length()
		switch {
		case len(field.ListKeys) > 0:
			text += ", one for each `" + strings.Join(field.ListKeys, "` and `") + "`"
		case field.ListType == "set":
			text += ", none twice"
		}
	} else {
		text += field.length()
	}
	if required {
		text += "; required"
	}
	return text
}

// formatTime is the format of RFC 3339.
const formatTime = "date-time"

// plain is the type in one word.
func (s schema) plain() string {
	if s.Format == formatTime {
		return "time"
	}
	return s.Type
}

// length says how long a string may be. That of a time says nothing.
func (s schema) length() string {
	if s.MaxLength == 0 || s.Format == formatTime {
		return ""
	}
	return " of " + count(s.MinLength, s.MaxLength, "character")
}

// count says how many of something there may be.
func count(least, most int, word string) string {
	if most != 1 {
		word += "s"
	}
	switch {
	case most == 0:
		return word
	case least == 0:
		return fmt.Sprintf("at most %d %s", most, word)
	case least == most:
		return fmt.Sprintf("%d %s", most, word)
	default:
		return fmt.Sprintf("%d to %d %s", least, most, word)
	}
}

// meaning is the description of a field, with the values and the default unless it
// tells them.
func meaning(field, below schema) string {
	text := prose(cmp.Or(field.Description, below.Description))
	if len(below.Enum) > 0 {
		text += " One of `" + strings.Join(below.Enum, "`, `") + "`."
	}
	value, ok := field.Default.(string)
	if !ok {
		data, _ := json.Marshal(field.Default) // it came from JSON
		value = string(data)
	}
	// An object is {} by default so that the defaults of its fields are set.
	if value == "null" || value == "{}" {
		return text
	}
	if !tellsDefault(field.Description, value) {
		text += " Default `" + value + "`."
	}
	return text
}

// tellsDefault says whether a description says by itself what the default is.
func tellsDefault(description, value string) bool {
	return strings.Contains(strings.ToLower(description), "default") && strings.Contains(description, strings.Trim(value, `[]"`))
}
