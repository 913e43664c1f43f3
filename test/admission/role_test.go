package admission

import (
	"maps"
	"strings"
	"testing"
)

func resource() spec { return spec{"identifier": "api://orders"} }

func TestProtectedResource(t *testing.T) {
	const uri = "URI in canonical form"
	table{
		"the least that is needed":        {nothing, ""},
		"the story's resource":            {both(set("assignment", "Required"), set("tokenBindingPolicy", "Required"), set("accessTokenLifetime", "10m"), set("suspend", false)), ""},
		"a URL":                           {set("identifier", "https://orders.orders.svc:8443/v2"), ""},
		"a URN":                           {set("identifier", "urn:example:orders"), ""},
		"no identifier":                   {unset("identifier"), "spec.identifier: Required value"},
		"an empty identifier":             {set("identifier", ""), "spec.identifier"},
		"an identifier without a scheme":  {set("identifier", "orders"), uri},
		"a scheme in upper case":          {set("identifier", "API://orders"), uri},
		"a trailing slash":                {set("identifier", "api://orders/"), uri},
		"a query":                         {set("identifier", "api://orders?x"), uri},
		"a fragment":                      {set("identifier", "api://orders#x"), uri},
		"a blank":                         {set("identifier", "api://or ders"), uri},
		"a line break":                    {set("identifier", "api://orders\n"), uri},
		"a host in upper case":            {set("identifier", "api://Orders"), uri},
		"a user":                          {set("identifier", "https://me@orders.orders.svc"), uri},
		"a letter that no scope can have": {set("identifier", "api://orders/é"), uri},
		"a quote":                         {set("identifier", `api://orders/"x`), uri},
		"a back slash":                    {set("identifier", `api://orders\x`), uri},
		"an identifier that is too long":  {set("identifier", "api://"+strings.Repeat("a", 507)), "Too long"},
		"no role needed":                  {set("assignment", "Optional"), ""},
		"an unknown assignment":           {set("assignment", "None"), "Unsupported value"},
		"bearer tokens too":               {set("tokenBindingPolicy", "Optional"), ""},
		"an unknown binding policy":       {set("tokenBindingPolicy", "None"), "Unsupported value"},
		"a lifetime below a minute":       {set("accessTokenLifetime", "30s"), "between 1m and 1h"},
		"a lifetime above an hour":        {set("accessTokenLifetime", "2h"), "between 1m and 1h"},
	}.durations("accessTokenLifetime", "spec.accessTokenLifetime").creates(t, "ProtectedResource", resource)
	table{
		"everything else changes":       {both(set("suspend", true), set("assignment", "Optional")), ""},
		"the identifier is not changed": {set("identifier", "api://other"), "spec.identifier cannot be changed"},
	}.updates(t, "ProtectedResource", resource)
}

func role() spec {
	return spec{"resourceRef": spec{"name": "orders"}, "value": "Orders.Read.All"}
}

func TestAppRole(t *testing.T) {
	const form = "begins with a letter or digit"
	table{
		"the story's role":                  {both(set("displayName", "Read all orders"), set("description", "Read every order.")), ""},
		"a short value":                     {set("value", "r"), ""},
		"a value with every sign":           {set("value", "0a._:-Z"), ""},
		"a value of 120 characters":         {set("value", strings.Repeat("a", 120)), ""},
		"a value of 121 characters":         {set("value", strings.Repeat("a", 121)), "Too long"},
		"no value":                          {unset("value"), "spec.value: Required value"},
		"an empty value":                    {set("value", ""), "spec.value"},
		"a value with a blank":              {set("value", "Orders Read"), form},
		"a value with a slash":              {set("value", "orders/read"), form},
		"a value that begins with a dot":    {set("value", ".default"), form},
		"a value with a line break":         {set("value", "Read\n"), form},
		"a value that Kubernetes keeps":     {set("value", "system:masters"), "must not begin with system:"},
		"a value that is nearly such a one": {set("value", "systems:masters"), ""},
		"a resource that cannot be":         {set("resourceRef.name", "../orders"), "name is that of an object of the same namespace"},
		"no resource":                       {unset("resourceRef"), "spec.resourceRef: Required value"},
		"a description that is too long":    {set("description", strings.Repeat("a", 1025)), "Too long"},
	}.creates(t, "AppRole", role)
	table{
		"the words change":            {set("displayName", "x"), ""},
		"the value is not changed":    {set("value", "Orders.Write.All"), "spec.value cannot be changed"},
		"the resource is not changed": {set("resourceRef.name", "other"), "spec.resourceRef cannot be changed"},
	}.updates(t, "AppRole", role)
}

func assignment() spec {
	return spec{"roleRef": spec{"name": "orders-read"}, "clientRef": spec{"namespace": "shop", "name": "checkout"}, "decision": "Approved"}
}

// selector is a namespaceSelector, with what may stand beside it.
func selector(more spec) func(spec) {
	return func(s spec) {
		delete(s, "clientRef")
		out := spec{"namespaceSelector": spec{"matchLabels": spec{"team": "shop"}}}
		maps.Copy(out, more)
		s["clientSelector"] = out
	}
}

func TestAppRoleAssignment(t *testing.T) {
	narrowed := spec{"labelSelector": spec{"matchLabels": spec{"tier": "gold"}}}
	const empty = "would select every client of the cluster"
	expression := func(operator string, values ...any) spec {
		e := spec{"key": "team", "operator": operator}
		if values != nil {
			e["values"] = values
		}
		return spec{"namespaceSelector": spec{"matchExpressions": []any{e}}}
	}
	table{
		"the story's assignment":                 {both(set("expiresAt", "2027-01-01T00:00:00Z"), set("reason", "checkout shows order history")), ""},
		"a denial":                               {set("decision", "Denied"), ""},
		"an unknown decision":                    {set("decision", "Maybe"), "Unsupported value"},
		"no decision":                            {unset("decision"), "spec.decision: Required value"},
		"no role":                                {unset("roleRef"), "spec.roleRef: Required value"},
		"no client":                              {unset("clientRef"), "exactly one of clientRef and clientSelector"},
		"a client whose name holds a line":       {set("clientRef.name", "a\nb"), "name is that of an OAuthClient"},
		"a role whose name holds a line":         {set("roleRef.name", "a\nb"), "name is that of an object of the same namespace"},
		"a client without a namespace":           {unset("clientRef.namespace"), "namespace: Required value"},
		"clientRef and clientSelector":           {set("clientSelector", spec{"namespaceSelector": spec{"matchLabels": spec{"a": "b"}}}), "exactly one of clientRef and clientSelector"},
		"a selector":                             {selector(nil), ""},
		"a selector with an expression":          {selector(expression("In", "shop")), ""},
		"a selector narrowed by labels":          {selector(narrowed), ""},
		"a selector without a namespaceSelector": {both(unset("clientRef"), set("clientSelector", spec{})), "namespaceSelector: Required value"},
		"an empty namespaceSelector":             {selector(spec{"namespaceSelector": spec{}}), empty},
		"a namespaceSelector with empty labels":  {selector(spec{"namespaceSelector": spec{"matchLabels": spec{}, "matchExpressions": []any{}}}), empty},
		"an unknown operator":                    {selector(expression("Near", "shop")), ""}, // shown in the condition
		"In without values":                      {selector(expression("In")), ""},
		"a denial by namespace":                  {both(selector(nil), set("decision", "Denied")), ""},
		"a denial by label":                      {both(selector(narrowed), set("decision", "Denied")), "who could label the denial away"},
		"a denial that ends":                     {both(set("decision", "Denied"), set("expiresAt", "2027-01-01T00:00:00Z")), "expiresAt goes with decision: Approved only"},
		"a time with an offset and a fraction":   {set("expiresAt", "2027-01-01T00:00:00.123456789+05:30"), ""},
		"the first moment":                       {set("expiresAt", "2000-01-01T00:00:00Z"), ""},
		"the last moment":                        {set("expiresAt", "2999-12-31T23:59:59-23:59"), ""},
		"who decided, which admission writes":    {both(set("decidedBy", "alice"), set("decidedAt", "2027-01-01T00:00:00Z")), ""},
		"a service account that decided":         {set("decidedBy", "system:serviceaccount:"+strings.Repeat("n", 63)+":"+strings.Repeat("s", 253)), ""},
		"a name of 512 characters":               {set("decidedBy", strings.Repeat("a", 512)), ""},
		"a name of 513 characters":               {set("decidedBy", strings.Repeat("a", 513)), "Too long"},
		"a name that is none":                    {set("decidedBy", spec{"name": "alice"}), "must be of type string"},
	}.times("expiresAt", nothing).times("decidedAt", nothing).creates(t, "AppRoleAssignment", assignment)
}

func TestAppRoleAssignmentChanges(t *testing.T) {
	const immutable = "clientRef and clientSelector cannot be changed"
	table{
		"the decision and its reason change":                          {both(set("decision", "Denied"), set("reason", "x")), ""},
		"the role is not changed":                                     {set("roleRef.name", "other"), "spec.roleRef cannot be changed"},
		"the client is not changed":                                   {set("clientRef.name", "other"), immutable},
		"a client is no selector":                                     {selector(nil), immutable},
		"who decided, which admission writes":                         {set("decidedBy", "alice"), ""},
		"an approval that ends is not turned into a denial that does": {both(set("expiresAt", "2027-01-01T00:00:00Z"), set("decision", "Denied")), "expiresAt goes with"},
	}.updates(t, "AppRoleAssignment", assignment)
	selected := func() spec {
		s := assignment()
		selector(nil)(s)
		return s
	}
	table{
		"a selector is not changed":  {set("clientSelector.namespaceSelector.matchLabels", spec{"team": "other"}), immutable},
		"a selector is not narrowed": {set("clientSelector.labelSelector", spec{"matchLabels": spec{"a": "b"}}), immutable},
	}.updates(t, "AppRoleAssignment", selected)
}
