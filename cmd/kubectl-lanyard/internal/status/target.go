package status

import (
	"fmt"
	"slices"
	"strings"
)

// kinds that a report is about, by the words that people write for them. The first is
// what completion offers.
var kinds = []struct {
	kind  string
	words []string
}{
	{"OAuthClient", []string{"client", "clients", "oauthclient", "oauthclients", "oac", "oauthclients.lanyard.dev"}},
	{"ProtectedResource", []string{"resource", "resources", "protectedresource", "protectedresources", "pres", "protectedresources.lanyard.dev"}},
	{"AppRole", []string{"role", "roles", "approle", "approles", "approles.lanyard.dev"}},
}

// target is what was asked for.
type target struct {
	// kind is empty where only a name was given: a client, else a resource, else a role.
	kind string
	// name as it was typed: NAME or NAMESPACE/NAME. Empty: the whole namespace.
	name string
}

// targetOf reads the arguments: TYPE/NAME, TYPE NAME as kubectl has it, or NAME alone.
func targetOf(args []string) (target, error) {
	switch len(args) {
	case 0:
		return target{}, nil
	case 1:
		word, name, found := strings.Cut(args[0], "/")
		if kind := kindOf(word); found && kind != "" {
			return target{kind, name}, nil
		}
		if !found && kindOf(word) != "" {
			return target{}, fmt.Errorf("which %[1]s? write %[1]s/NAME; for an overview of the namespace leave it out", word)
		}
		return target{name: args[0]}, nil
	default:
		kind := kindOf(args[0])
		if kind == "" {
			return target{}, fmt.Errorf("%q is no kind that has a status here; write client, resource or role. A certificate is shown with its client", args[0])
		}
		return target{kind, args[1]}, nil
	}
}

func kindOf(word string) string {
	for _, k := range kinds {
		if slices.Contains(k.words, strings.ToLower(word)) {
			return k.kind
		}
	}
	return ""
}
