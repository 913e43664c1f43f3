package main

import (
	"encoding/json"
	"maps"
	"os"
)

const schemaFile = "charts/lanyard/values.schema.json"

// writeSchema writes the JSON schema that Helm holds values to. What is not in values.yaml
// is refused: a value that is spelled wrongly would be as if it were not there.
func writeSchema(values []value) error {
	root := section()
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "Values of the chart lanyard"
	root["properties"].(map[string]any)["global"] = map[string]any{"type": "object", "description": "What Helm hands on to every chart. Nothing here uses it."}
	for _, v := range values {
		at := root
		for _, name := range v.path[:len(v.path)-1] {
			properties := at["properties"].(map[string]any)
			if properties[name] == nil {
				properties[name] = section()
			}
			at = properties[name].(map[string]any)
		}
		at["properties"].(map[string]any)[v.path[len(v.path)-1]] = v.schemaOf()
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(schemaFile, append(text, '\n'), 0o644)
}

func section() map[string]any {
	return map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
}

// plain is a text that means itself wherever templates write it in YAML, also without quotes.
const plain = `^[^\s"',\\{}\[\]]*$`

func (v value) schemaOf() map[string]any {
	out := map[string]any{"type": v.kind(), "description": v.doc}
	if v.kind() == "string" && v.schema["enum"] == nil {
		out["pattern"] = plain
	}
	maps.Copy(out, v.schema)
	return out
}
