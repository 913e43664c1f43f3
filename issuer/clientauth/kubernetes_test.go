package clientauth

import (
	"encoding/json"
	"testing"
)

// What the strict reader accepts, encoding/json reads alike.
func FuzzReadKubernetes(f *testing.F) {
	for _, seed := range []string{
		`{"kubernetes.io":{"namespace":"shop","serviceaccount":{"name":"app","uid":"1"},"pod":{"name":"app-0","uid":"2"},"node":{"name":"n","uid":"3"},"warnafter":1}}`,
		`{"kubernetes.io":{"namespace":"shop","serviceaccount":{"name":"app","uid":"1"},"secret":{"name":"s","uid":"2"}}}`,
		`{"kubernetes.io":{"Namespace":"shop"}}`, `{"kubernetes.io":[]}`, `{"kubernetes.io":null}`, `{"kubernetes.io":{"pod":null}}`, `{}`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		k, err := readKubernetes(payload)
		if err != nil {
			return
		}
		var all map[string]json.RawMessage
		if err := json.Unmarshal(payload, &all); err != nil {
			t.Fatalf("accepted what is no JSON: %v", err)
		}
		var inner map[string]json.RawMessage
		if raw, ok := all["kubernetes.io"]; ok {
			if err := json.Unmarshal(raw, &inner); err != nil {
				t.Fatalf("accepted a claim that is no object: %v", err)
			}
		}
		for name, got := range map[string]bool{"pod": k.pod, "node": k.node, "secret": k.secret} {
			if _, want := inner[name]; got != want {
				t.Errorf("%s: got %t, want %t", name, got, want)
			}
		}
		var namespace string
		_ = json.Unmarshal(inner["namespace"], &namespace) // absent: empty
		if k.workload.Namespace != namespace {
			t.Errorf("namespace %q, want %q", k.workload.Namespace, namespace)
		}
	})
}
