package ingress

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Access says who may pass where a rule names no roles.
type Access string

// The values of Access.
const (
	// Authenticated is anybody with a token for this API, whatever roles it has.
	Authenticated Access = "Authenticated"
	// Anyone needs no token, and gives the app no identity: for probes, say.
	Anyone Access = "Anyone"
)

// Rule says who may call a path, and everything below it, with some methods.
type Rule struct {
	// Path is decoded and begins with a slash. It means itself and what is below it: /orders
	// means /orders, /orders/ and /orders/1, and not /orders2.
	Path string `json:"path"`
	// Methods are those of HTTP, in capitals. GET means HEAD, too. ["*"] means all.
	Methods []string `json:"methods"`
	// Roles are those of which the caller needs one.
	Roles []string `json:"roles,omitempty"`
	// Access stands instead of Roles.
	Access Access `json:"access,omitempty"`
}

// Rules are what a file says. The zero value lets nobody through.
type Rules struct {
	byPath map[string][]Rule // by the folded path
}

// Limits of a file of rules.
const (
	maxRulesBytes = 256 << 10
	maxRules      = 1000
	anyMethod     = "*"
)

var (
	methodName = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)
	// As spec.value of an AppRole.
	roleValue = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,119}$`)
)

// ParseRules reads a file of rules:
//
//	rules:
//	- {path: /orders, methods: [GET], roles: [Orders.Read.All]}
//	- {path: /healthz, methods: [GET], access: Anyone}
//
// The error says which rule is wrong, and what to write instead.
func ParseRules(text []byte) (*Rules, error) {
	if len(text) > maxRulesBytes {
		return nil, fmt.Errorf("the rules have %d bytes; write at most %d", len(text), maxRulesBytes)
	}
	var document struct {
		Rules []Rule `json:"rules"`
	}
	if err := yaml.UnmarshalStrict(text, &document); err != nil {
		return nil, fmt.Errorf("this is no YAML with the list rules, of path, methods, and roles or access: %w", innermost(err))
	}
	if len(document.Rules) == 0 {
		return nil, errors.New("rules is empty, which would refuse every request; write at least one rule")
	}
	if len(document.Rules) > maxRules {
		return nil, fmt.Errorf("there are %d rules; write at most %d", len(document.Rules), maxRules)
	}
	r := &Rules{byPath: make(map[string][]Rule)}
	for i, rule := range document.Rules {
		if err := r.add(rule); err != nil {
			return nil, fmt.Errorf("rules[%d].%w", i, err)
		}
	}
	return r, nil
}

func (r *Rules) add(rule Rule) error {
	if err := checkPath(rule.Path); err != nil {
		return err
	}
	if err := checkMethods(rule.Methods); err != nil {
		return err
	}
	if err := checkAccess(rule); err != nil {
		return err
	}
	key := fold(rule.Path)
	for _, other := range r.byPath[key] {
		for _, m := range rule.Methods {
			if slices.Contains(other.Methods, m) {
				return fmt.Errorf("methods: %s of %s is in another rule already; write one rule for both", m, rule.Path)
			}
		}
	}
	r.byPath[key] = append(r.byPath[key], rule)
	return nil
}

func checkPath(path string) error {
	// Unescaped, as the rule is written: a percent sign is refused, and nothing is decoded.
	if _, why := readPath(strings.ReplaceAll(path, "%", "%25")); why != "" {
		return fmt.Errorf("path is %q: %s; write it decoded, as /orders", path, why)
	}
	if path != "/" && strings.HasSuffix(path, "/") {
		return fmt.Errorf("path is %q; write it without the slash at the end, which means the same", path)
	}
	if strings.ContainsAny(path, "*{}") {
		return fmt.Errorf("path is %q; there are no patterns, a path means everything below it", path)
	}
	return nil
}

func checkMethods(methods []string) error {
	if len(methods) == 0 {
		return errors.New(`methods is empty; write some of GET, POST, PUT, PATCH, DELETE, OPTIONS, or "*" alone for all`)
	}
	for i, m := range methods {
		switch {
		case m == anyMethod && len(methods) == 1:
		case !methodName.MatchString(m) || m == "CONNECT" || m == "TRACE":
			return fmt.Errorf(`methods has %q; write some of GET, POST, PUT, PATCH, DELETE, OPTIONS, or "*" alone for all`, m)
		case slices.Contains(methods[:i], m):
			return fmt.Errorf("methods has %s twice", m)
		}
	}
	return nil
}

func checkAccess(rule Rule) error {
	for _, role := range rule.Roles {
		if !roleValue.MatchString(role) {
			return fmt.Errorf("roles has %q; write the spec.value of an AppRole", role)
		}
	}
	switch {
	case len(rule.Roles) > 0 && rule.Access != "":
		return errors.New("access stands beside roles; write one of them")
	case len(rule.Roles) > 0:
		return nil
	case rule.Access != Anyone && rule.Access != Authenticated:
		return fmt.Errorf("access is %q and roles is empty; write roles, of which the caller needs one, or access: %s or %s", rule.Access, Authenticated, Anyone)
	default:
		return nil
	}
}

// Find returns the rule for a method and a path that readPath returned. The rules of the longest
// path count alone: where none of them has the method, a shorter path does not help.
func (r *Rules) Find(method, path string) (Rule, bool) {
	if method == "CONNECT" || method == "TRACE" {
		return Rule{}, false // these are about the connection, not about what the app has
	}
	if !methodName.MatchString(method) {
		return Rule{}, false // some frameworks make capitals of "delete", which only a rule for all would have named
	}
	for at := fold(strings.TrimSuffix(path, "/")); ; at = at[:strings.LastIndexByte(at, '/')] {
		key := at
		if key == "" {
			key = "/"
		}
		if rules := r.byPath[key]; len(rules) > 0 {
			return forMethod(rules, method)
		}
		if at == "" {
			return Rule{}, false
		}
	}
}

// forMethod returns the rule that names the method, or else the one for all.
func forMethod(rules []Rule, method string) (Rule, bool) {
	if method == "HEAD" {
		if rule, ok := named(rules, method); ok {
			return rule, true
		}
		method = "GET"
	}
	if rule, ok := named(rules, method); ok {
		return rule, true
	}
	return named(rules, anyMethod)
}

func named(rules []Rule, method string) (Rule, bool) {
	i := slices.IndexFunc(rules, func(r Rule) bool { return slices.Contains(r.Methods, method) })
	if i < 0 {
		return Rule{}, false
	}
	return rules[i], true
}

// innermost is the innermost error: those around it repeat how YAML becomes JSON.
func innermost(err error) error {
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) {
		err = next
	}
	return err
}
