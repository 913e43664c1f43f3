package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Files of the orders API's own client in the state folder.
const (
	ordersAPI          = "orders-api"
	ordersAPIAssertion = "orders-api/assertion.jwt"
)

// introspection asks what checkout's token is worth, as the orders API (RFC 7662).
func (s *story) introspection() request {
	return request{url: s.issuer + "/oauth2/introspect", form: append(assertion(ordersAPIAssertion), field{name: "token", file: tokenFile})}
}

func (s *story) introspect(ctx context.Context) error {
	if err := s.showKubectl(ctx, "apply", "-f", "hack/demo/manifests/orders-client.yaml"); err != nil {
		return err
	}
	if err := s.requestAssertion(ctx, orders, ordersAPI, "24h", ordersAPIAssertion); err != nil {
		return err
	}
	_, _, err := s.tryUntil(ctx, s.introspection(), func(a answer) error { return a.active(true) })
	return err
}

// inactiveAtOnce checks that the token is worth nothing any more, and says how soon.
func (s *story) inactiveAtOnce(ctx context.Context) error {
	_, took, err := s.tryUntil(ctx, s.introspection(), func(a answer) error { return a.active(false) })
	if err == nil {
		s.tell.line("inactive %s later", took.Round(time.Millisecond))
	}
	return err
}

// active is nil if the answer of introspection says so, or that it is not so.
func (a answer) active(want bool) error {
	if err := a.ok(); err != nil {
		return err
	}
	var body struct {
		Active *bool `json:"active"`
	}
	if err := json.Unmarshal(a.body, &body); err != nil {
		return err
	}
	if body.Active == nil || *body.Active != want {
		return fmt.Errorf("the issuer says %s", a.body)
	}
	return nil
}
