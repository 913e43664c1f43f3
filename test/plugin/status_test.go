package plugin

import "testing"

func TestStatus(t *testing.T) {
	w := newWorld(t, "status")
	run(t, w.vera, "status", "client/checkout", "-n", w.shop).succeeds(t).golden(t, "status-client")
	run(t, w.vera, "status", "resource", w.orders+"/orders").succeeds(t).golden(t, "status-resource")
	run(t, w.vera, "status", "role/orders-read", "-n", w.orders).succeeds(t).golden(t, "status-role")
	run(t, w.vera, "status", "-n", w.shop).succeeds(t).golden(t, "status-overview")
}
