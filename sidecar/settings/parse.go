package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/yaml"
)

// document is the YAML as people write it.
type document struct {
	Resources []struct {
		Name       string `json:"name"`
		Identifier string `json:"identifier"`
	} `json:"resources"`
	Upstreams []struct {
		Port        int    `json:"port"`
		URL         string `json:"url"`
		Resource    string `json:"resource"`
		CAConfigMap string `json:"caConfigMap"`
	} `json:"upstreams"`
}

var (
	// A name of files: never ".", "..", or with a slash.
	fileName = regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
	// As spec.identifier of a ProtectedResource: a URI without spaces, query or fragment.
	identifier = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:[!$->@-\[\]-~]*[!$-.0->@-\[\]-~]$`)
	// The name of an object (Kubernetes API conventions).
	objectName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
	// An ampersand with which a word begins, as an anchor of YAML does. Inside a word, or alone, it
	// is text.
	anchor = regexp.MustCompile(`(^|[^A-Za-z0-9/_.~%=+$*@;()-])&\S`)
)

// Parse reads the YAML of the annotation. The empty text is valid: no resources, no upstreams.
// An upstream's resource that is not listed is added under the name upstream-<port>. The error
// says which entry is wrong, and what to write instead.
func Parse(text []byte) (Settings, error) {
	if len(text) > MaxBytes {
		return Settings{}, fmt.Errorf("the configuration has %d bytes; write at most %d", len(text), MaxBytes)
	}
	// The controller reads this for everybody who may create a pod: written once and repeated by
	// its anchor, a text of a few KiB becomes hundreds of MiB.
	if !utf8.Valid(text) || anchor.Match(text) {
		return Settings{}, errors.New("the configuration has an anchor of YAML (&name), or is not UTF-8; write each entry out")
	}
	var d document
	if err := yaml.UnmarshalStrict(text, &d); err != nil {
		return Settings{}, unreadable(err)
	}
	var s Settings
	for i, r := range d.Resources {
		if err := s.addResource(Resource{Name: r.Name, Identifier: r.Identifier}); err != nil {
			return Settings{}, fmt.Errorf("resources[%d].%w", i, err)
		}
	}
	for i, u := range d.Upstreams {
		if err := s.addUpstream(Upstream{Port: u.Port, Resource: u.Resource, CAConfigMap: u.CAConfigMap}, u.URL); err != nil {
			return Settings{}, fmt.Errorf("upstreams[%d].%w", i, err)
		}
	}
	if len(s.Resources) > MaxResources {
		return Settings{}, fmt.Errorf("resources: %d APIs, those of upstreams counted; a pod may have at most %d", len(s.Resources), MaxResources)
	}
	if len(s.Upstreams) > MaxUpstreams {
		return Settings{}, fmt.Errorf("upstreams: there are %d; a pod may have at most %d", len(s.Upstreams), MaxUpstreams)
	}
	return s, nil
}

// unreadable says what is wrong with the YAML, in words of YAML.
func unreadable(err error) error {
	const what = "the configuration is no YAML with the lists resources and upstreams"
	if mistyped, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && mistyped.Field != "" {
		return fmt.Errorf("%s: %s is not %s", what, mistyped.Field, kindOf(mistyped.Type))
	}
	for next := errors.Unwrap(err); next != nil; next = errors.Unwrap(err) { // those around it repeat how YAML becomes JSON
		err = next
	}
	text := strings.TrimPrefix(err.Error(), "json: ")
	if strings.HasPrefix(text, "unknown field") {
		text += "; resources have name and identifier, upstreams have port, url, resource and caConfigMap"
	}
	return fmt.Errorf("%s: %s", what, text)
}

// kindOf says how a field is written.
func kindOf(field reflect.Type) string {
	switch field.Kind() {
	case reflect.Slice:
		return "a list: begin each entry with -"
	case reflect.Int:
		return "a number: write it without quotes"
	case reflect.String:
		return "a text: write it in quotes"
	default:
		return "an entry with fields, such as {name: orders, identifier: api://orders}"
	}
}

func (s *Settings) addResource(r Resource) error {
	switch {
	case !fileName.MatchString(r.Name):
		return fmt.Errorf("name %q names a file: write 1 to 63 lower-case letters, digits, dots, _ and -, for example orders", r.Name)
	case strings.HasPrefix(r.Name, "upstream-"):
		return fmt.Errorf("name %q: names that begin with upstream- are kept for upstreams; write another", r.Name)
	case slices.ContainsFunc(s.Resources, func(o Resource) bool { return o.Name == r.Name }):
		return fmt.Errorf("name %q stands there twice; write another name", r.Name)
	}
	if err := checkIdentifier(r.Identifier); err != nil {
		return fmt.Errorf("identifier %w", err)
	}
	if s.Lists(r.Identifier) {
		return fmt.Errorf("identifier %q stands there twice; leave one out", r.Identifier)
	}
	s.Resources = append(s.Resources, r)
	return nil
}

func checkIdentifier(id string) error {
	if len(id) < 3 || len(id) > 512 || !identifier.MatchString(id) {
		return fmt.Errorf("%.80q is no resource's identifier: write spec.identifier of the ProtectedResource, for example api://orders", id)
	}
	if bare, ok := strings.CutSuffix(id, "/.default"); ok {
		return fmt.Errorf("%.80q is a scope: write the identifier alone, %.80s", id, bare)
	}
	return nil
}

func (s *Settings) addUpstream(u Upstream, address string) error {
	switch {
	case u.Port < 1024 || u.Port > 65535:
		return fmt.Errorf("port %d is not between 1024 and 65535; write one that the app's containers do not use, for example 9470", u.Port)
	case u.Port == EndpointPort || u.Port == MetricsPort:
		return fmt.Errorf("port %d is the sidecar's own; write another, for example 9470", u.Port)
	case slices.ContainsFunc(s.Upstreams, func(o Upstream) bool { return o.Port == u.Port }):
		return fmt.Errorf("port %d stands there twice; write another", u.Port)
	case u.CAConfigMap != "" && !objectName.MatchString(u.CAConfigMap):
		return fmt.Errorf("caConfigMap %q is no name of a ConfigMap: write lower-case letters, digits, dots and -", u.CAConfigMap)
	}
	if err := checkIdentifier(u.Resource); err != nil {
		return fmt.Errorf("resource %w", err)
	}
	parsed, err := parseURL(address)
	if err != nil {
		return fmt.Errorf("url %w", err)
	}
	u.URL = parsed
	s.Upstreams = append(s.Upstreams, u)
	if !s.Lists(u.Resource) {
		s.Resources = append(s.Resources, Resource{Name: "upstream-" + strconv.Itoa(u.Port), Identifier: u.Resource})
	}
	return nil
}

// parseURL takes https only: a token that is sent in the clear is a stolen one.
func parseURL(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return nil, fmt.Errorf("%.200q is no https address: write for example https://orders.orders.svc:8443", address)
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "" || strings.Contains(address, "#"):
		return nil, errors.New("holds a user, a query or a fragment: write scheme, host, port and path only")
	}
	return u, nil
}
