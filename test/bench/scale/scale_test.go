package scale

import "testing"

// A decision costs with a thousand roles and ten thousand clients what it costs with ten:
// ratio is at most Goal, to which make bench holds it.
func BenchmarkDecisionAtScale(b *testing.B) {
	for b.Loop() {
		rows, err := Rows(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(rows[0].Floor, "ten-ns")
		b.ReportMetric(rows[0].Value, "full-ns")
		b.ReportMetric(rows[0].Ratio, "ratio")
	}
}

// What is measured must be decisions that end in a token, of worlds that are as large as
// they say.
func TestWorlds(t *testing.T) {
	for _, size := range []Size{Ten(), {Clients: 40, Roles: 21, Assignments: 12, Selecting: 3}} {
		w := NewWorld(size)
		sizes := w.registry.Sizes()
		for kind, want := range map[string]int{"OAuthClient": size.Clients, "AppRole": size.Roles, "AppRoleAssignment": size.Roles * size.Assignments} {
			if sizes[kind] != want {
				t.Errorf("%+v has %d of %s; want %d", size, sizes[kind], kind, want)
			}
		}
		for client := range size.Clients {
			if !w.decide(client, 0) || !w.decide(client, 1) {
				t.Errorf("%+v: client %d gets no token", size, client)
			}
		}
	}
}
