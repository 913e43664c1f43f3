package access

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the policy says.
const (
	notTheDecider = "who decides is recorded"
	notDecided    = "change only together with decision, expiresAt or reason"
)

const longAgo = "2020-01-01T00:00:00Z"

// owners are two owners of the APIs of one namespace.
type owners struct {
	ns, alice, bob string
	asAlice, asBob client.Client
}

func newOwners(t *testing.T) owners {
	t.Helper()
	ns := namespace(t)
	o := owners{ns: ns, alice: "alice-" + ns, bob: "bob-" + ns}
	o.asAlice = owner(t, o.alice, "lanyard-resource-owner", ns)
	o.asBob = owner(t, o.bob, "admin", ns)
	return o
}

// attack is what Bob tries with a decision of Alice's.
func (o owners) attack(good func() spec, bad func(spec)) attack {
	return attack{by: o.asBob, owner: o.asAlice, kind: "AppRoleAssignment", namespace: o.ns, good: good, bad: bad}
}

func approval() spec {
	return spec{
		"roleRef": spec{"name": "orders-read"}, "clientRef": spec{"namespace": "shop", "name": "checkout"},
		"decision": "Approved", "expiresAt": "2027-01-01T00:00:00Z", "reason": "checkout shows order history",
	}
}

// recordedAs is an approval with its record, as Alice's is.
func recordedAs(user string) func() spec {
	return func() spec {
		s := approval()
		s["decidedBy"], s["decidedAt"] = user, longAgo
		return s
	}
}

func record(o *unstructured.Unstructured) (by, at string) {
	s := o.Object["spec"].(spec)
	by, _ = s["decidedBy"].(string)
	at, _ = s["decidedAt"].(string)
	return by, at
}

// edits are what may be decided anew.
var edits = map[string]func(spec){
	"the decision":        func(s spec) { s["decision"] = "Denied"; delete(s, "expiresAt") },
	"its end":             func(s spec) { s["expiresAt"] = "2028-01-01T00:00:00Z" },
	"no end":              func(s spec) { delete(s, "expiresAt") },
	"the reason":          func(s spec) { s["reason"] = "because" },
	"no reason":           func(s spec) { delete(s, "reason") },
	"everything about it": func(s spec) { s["decision"], s["reason"] = "Denied", "no"; delete(s, "expiresAt") },
}

// forgeries are records that Bob makes up, with nothing decided anew.
func (o owners) forgeries() map[string]func(spec) {
	return map[string]func(spec){
		"somebody else":       func(s spec) { s["decidedBy"], s["decidedAt"] = "carol", longAgo },
		"himself":             func(s spec) { s["decidedBy"] = o.bob },
		"another time":        func(s spec) { s["decidedAt"] = "2021-01-01T00:00:00Z" },
		"nobody":              func(s spec) { delete(s, "decidedBy"); delete(s, "decidedAt") },
		"nobody, at the time": func(s spec) { delete(s, "decidedBy") },
	}
}

// isRecord fails unless the record says who decided, at a time within this test.
func isRecord(t *testing.T, r result, who string, since time.Time) {
	t.Helper()
	if r.now == nil {
		t.Errorf("%s: there is no assignment: %v", r.way, r.err)
		return
	}
	by, at := record(r.now)
	when, err := time.Parse(time.RFC3339, at)
	if by != who || err != nil || when.Before(since.Truncate(time.Second)) || when.After(time.Now().Add(time.Second)) {
		t.Errorf("%s: decided by %q at %q; want %q, since %s", r.way, by, at, who, since.UTC().Format(time.RFC3339))
	}
}

// Whatever is sent, the record says who decided: of what Bob makes himself that is Bob,
// and of what he leaves as Alice decided it, Alice.
func TestRefusesAForgedRecordOfWhoDecided(t *testing.T) {
	o := newOwners(t)
	for sentence, forge := range o.forgeries() {
		t.Run(sentence, func(t *testing.T) {
			since := time.Now()
			for r := range o.attack(approval, forge).each(t) {
				switch {
				case r.way == writeStatus:
					refused(t, r)
				case r.err != nil:
					t.Errorf("%s: %v", r.way, r.err)
				}
				who := o.alice
				if r.fresh() {
					who = o.bob
				}
				isRecord(t, r, who, since)
			}
		})
	}
}

// What is decided anew is Bob's, also where he sends Alice's record along.
func TestRefusesARecordThatIsKeptWhileTheDecisionChanges(t *testing.T) {
	o := newOwners(t)
	for sentence, edit := range edits {
		t.Run(sentence, func(t *testing.T) {
			since := time.Now()
			bad := func(s spec) { edit(s); s["decidedBy"], s["decidedAt"] = o.alice, longAgo }
			for r := range o.attack(approval, bad).each(t) {
				who := o.bob
				switch {
				case r.way == writeStatus:
					refused(t, r)
					who = o.alice
				case r.err != nil:
					t.Errorf("%s: %v", r.way, r.err)
				}
				isRecord(t, r, who, since)
			}
		})
	}
}

// An empty reason is none, and one moment can be written in many ways: nothing was decided.
func TestNothingIsDecidedWhereNothingChanges(t *testing.T) {
	o := newOwners(t)
	since := time.Now()
	silent := approval()
	delete(silent, "reason")
	a := object("AppRoleAssignment", o.ns, "silent", silent)
	if err := o.asAlice.Create(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	for _, patch := range []string{
		`{"spec":{"reason":""}}`, `{"spec":{"reason":null}}`, `{"spec":{"decision":"Approved"}}`,
		`{"spec":{"expiresAt":"2027-01-01T01:00:00+01:00"}}`, `{"spec":{"expiresAt":"2027-01-01T00:00:00.000Z"}}`,
		`{"metadata":{"labels":{"team":"orders"}}}`, `{"metadata":{"managedFields":[{}]}}`, `{"status":{"clientCount":7}}`,
	} {
		if err := o.asBob.Patch(t.Context(), a, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			t.Errorf("%s: %v", patch, err)
		}
		isRecord(t, result{way: way(patch), now: stored(t, a)}, o.alice, since)
	}
}

// The webhook can be removed, by a mistake or in an emergency. Then the API server's own
// policy refuses what the webhook would have put right.
func TestRefusesAForgedRecordAlsoWithoutTheWebhook(t *testing.T) {
	withoutWebhooks(t)
	o := newOwners(t)
	for sentence, forge := range o.forgeries() {
		t.Run(sentence, func(t *testing.T) {
			for r := range o.attack(recordedAs(o.alice), forge).each(t) {
				if r.fresh() && sentence == "himself" {
					if r.err != nil {
						t.Errorf("%s: refused: %v; want that whoever decides may say so", r.way, r.err)
					}
					continue
				}
				refused(t, r, notTheDecider, notDecided)
				o.isAlices(t, r)
			}
		})
	}
}

func TestRefusesARecordThatIsKeptAlsoWithoutTheWebhook(t *testing.T) {
	withoutWebhooks(t)
	o := newOwners(t)
	for sentence, edit := range edits {
		for kept, record := range map[string]func(spec){
			"and her record":    func(spec) {},
			"and another's":     func(s spec) { s["decidedBy"] = "carol" },
			"and no record":     func(s spec) { delete(s, "decidedBy"); delete(s, "decidedAt") },
			"and his, timeless": func(s spec) { s["decidedBy"] = o.bob; delete(s, "decidedAt") },
		} {
			t.Run(sentence+" "+kept, func(t *testing.T) {
				bad := func(s spec) { edit(s); record(s) }
				for r := range o.attack(recordedAs(o.alice), bad).each(t) {
					refused(t, r, notTheDecider)
					o.isAlices(t, r)
				}
			})
		}
	}
}

// isAlices fails unless what is there is still as Alice made it.
func (o owners) isAlices(t *testing.T, r result) {
	t.Helper()
	if r.now == nil {
		return
	}
	if diff := cmp.Diff(recordedAs(o.alice)(), r.now.Object["spec"]); diff != "" {
		t.Errorf("%s: it was changed:\n%s", r.way, diff)
	}
}
