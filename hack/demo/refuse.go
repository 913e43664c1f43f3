package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Numbers of refusals, as issuer/oauth documents them.
const (
	notAccepted     = 20001
	noSuchScope     = 30001
	bindingRequired = 40001
	notPinned       = 40003
)

// refuseSteps: everything that must not work, and what it is answered with.
func refuseSteps() []step { return append(thiefSteps(), insiderSteps()...) }

// thiefSteps: somebody has what is not his.
func thiefSteps() []step {
	return []step{
		{
			chapter: "Refused: everything else",
			title:   "A neighbour moves in",
			text: "Packing is another client in the same namespace, with a certificate of the same CA, a service account and a pod " +
				"of its own. It is honest here; what follows is what it, or a thief, could try.",
			want: "packing is Ready, and holds its own certificate",
			do:   (*story).neighbour,
		},
		{
			title: "No certificate at the token endpoint",
			text: "Somebody has copied the token of checkout's pod, but not the certificate. Tokens of checkout are bound, " +
				"so that without a certificate there are none.",
			want: "HTTP 400 invalid_request, number 40001",
			do: func(s *story, ctx context.Context) error {
				return s.refused(ctx, s.tokenRequest("", scope, assertion(assertionFile)...), 400, "invalid_request", bindingRequired)
			},
		},
		{
			title: "A certificate that is not pinned to the client",
			text: "The same, over a connection with packing's certificate. It is valid, and of the same CA. But certificates are " +
				"pinned to clients one by one, and this is not one of checkout's.",
			want: "HTTP 401 invalid_client, number 40003",
			do: func(s *story, ctx context.Context) error {
				return s.refused(ctx, s.tokenRequest(packing, scope, assertion(assertionFile)...), 401, "invalid_client", notPinned)
			},
		},
		{
			title: "A stolen access token, without its certificate",
			text:  "An access token has leaked, from a log perhaps. The API sees that it is bound, and that this connection has no certificate.",
			want:  "HTTP 401 invalid_token from the API",
			do: func(s *story, ctx context.Context) error {
				return s.refusedByAPI(ctx, request{url: s.orders, tokenFile: tokenFile})
			},
		},
		{
			title: "A stolen access token, with another certificate",
			text:  "Packing has it, and connects with its own certificate.",
			want:  "HTTP 401 invalid_token from the API",
			do: func(s *story, ctx context.Context) error {
				return s.refusedByAPI(ctx, request{url: s.orders, certificate: packing, tokenFile: tokenFile})
			},
		},
	}
}

// insiderSteps: somebody who is known asks for more than he has.
func insiderSteps() []step {
	return []step{
		{
			title: "Another client's service account",
			text: "Packing asks as checkout, with the token of its own pod. Even with checkout's certificate in hand that is " +
				"refused. Every refusal of identity reads the same, so that a stranger learns nothing; what was wrong stands " +
				"in the issuer's log, under the trace_id, and kubectl lanyard tells what it means.",
			want: "HTTP 401 invalid_client, number 20001, because of service_account_of_no_such_client",
			do:   (*story).otherServiceAccount,
		},
		{
			title: "A role that was never granted",
			text:  "Checkout may read orders, and asks to write them. Whether such a role exists at all is not told.",
			want:  "HTTP 400 invalid_scope, number 30001",
			do: func(s *story, ctx context.Context) error {
				return s.refused(ctx, s.tokenRequest(checkout, "api://orders/Orders.Write.All", assertion(assertionFile)...), 400, "invalid_scope", noSuchScope)
			},
		},
		{
			title: "A token for another API",
			text: "The payments API lets every client have a token, without any role. Checkout gets one, properly bound, and " +
				"presents it to the orders API with the right certificate.",
			want: "HTTP 200 from the issuer, and HTTP 401 invalid_token from the orders API",
			do:   (*story).otherAudience,
		},
	}
}

const packingAssertion = "packing/assertion.jwt"

func (s *story) neighbour(ctx context.Context) error {
	if err := s.showKubectl(ctx, "apply", "-f", "hack/demo/manifests/packing.yaml"); err != nil {
		return err
	}
	if err := eventually(ctx, func(ctx context.Context) error { _, err := s.pinned(ctx, "packing"); return err }); err != nil {
		return err
	}
	if err := s.showKubectl(ctx, "get", "-n", shop, "oauthclients,clientcertificates"); err != nil {
		return err
	}
	if err := s.exportSecret(ctx, shop, "packing-mtls", packing); err != nil {
		return err
	}
	return s.requestAssertion(ctx, shop, "packing", "1h", packingAssertion)
}

func (s *story) otherServiceAccount(ctx context.Context) error {
	fields := append(assertion(packingAssertion), field{name: "client_id", value: clientID})
	a, err := s.try(ctx, s.tokenRequest(checkout, scope, fields...))
	if err != nil {
		return err
	}
	if err := a.refusedWith(401, "invalid_client", notAccepted); err != nil {
		return err
	}
	return s.explained(ctx, a, "service_account_of_no_such_client")
}

// explained has kubectl lanyard explain a refusal, and checks the reason that it names.
func (s *story) explained(ctx context.Context, a answer, want string) error {
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		return err
	}
	log := s.cluster.Supervisor().LogPath("issuer")
	err := eventually(ctx, func(context.Context) error { // it is written after the answer
		_, err := loggedReason(log, p.TraceID)
		return err
	})
	if err != nil {
		return err
	}
	return s.refusedKubectl(ctx, want, "lanyard", "why", "--trace", p.TraceID, "--log", s.typed("logs", filepath.Base(log)))
}

// because shows what the issuer's log says of a refusal, and checks it.
func (s *story) because(ctx context.Context, a answer, want string) error {
	var p problem
	if err := json.Unmarshal(a.body, &p); err != nil {
		return err
	}
	log := s.cluster.Supervisor().LogPath("issuer")
	s.tell.command("grep " + shellWord(p.TraceID) + " " + shellWord(s.typed("logs", filepath.Base(log))) + ` | grep -o '"reason":"[^"]*"'`)
	var reason string
	err := eventually(ctx, func(context.Context) (err error) { // it is written after the answer
		reason, err = loggedReason(log, p.TraceID)
		return err
	})
	if err != nil {
		return err
	}
	s.tell.saw(fmt.Sprintf(`"reason":%q`, reason))
	if reason != want {
		return fmt.Errorf("the reason is %s", reason)
	}
	return nil
}

// loggedReason looks for the reason in the line of a log that has the trace_id.
func loggedReason(log, traceID string) (string, error) {
	data, err := os.ReadFile(log)
	if err != nil {
		return "", err
	}
	for line := range bytes.Lines(data) {
		var event struct {
			TraceID string `json:"trace_id"`
			Reason  string `json:"reason"`
		}
		if json.Unmarshal(line, &event) == nil && event.TraceID == traceID {
			return event.Reason, nil
		}
	}
	return "", fmt.Errorf("%s has no line with the trace_id %s", log, traceID)
}

// refused sends a request to the issuer that it must refuse.
func (s *story) refused(ctx context.Context, r request, status int, name string, number int) error {
	a, err := s.try(ctx, r)
	if err != nil {
		return err
	}
	return a.refusedWith(status, name, number)
}

// refusedByAPI sends a request to the orders API that it must refuse (RFC 6750 section 3).
func (s *story) refusedByAPI(ctx context.Context, r request) error {
	a, err := s.try(ctx, r)
	if err != nil {
		return err
	}
	challenge := a.header.Get("WWW-Authenticate")
	if a.status != 401 || !strings.Contains(challenge, `error="invalid_token"`) {
		return fmt.Errorf("HTTP %d, WWW-Authenticate: %s", a.status, challenge)
	}
	return nil
}

func (s *story) otherAudience(ctx context.Context) error {
	if err := s.showKubectl(ctx, "apply", "-f", "hack/demo/manifests/payments.yaml"); err != nil {
		return err
	}
	a, _, err := s.tryUntil(ctx, s.tokenRequest(checkout, "api://payments/.default", assertion(assertionFile)...), answer.ok)
	if err != nil {
		return err
	}
	const file = "client/access-token-for-payments"
	token, err := s.keepToken(a, file)
	if err != nil {
		return err
	}
	_, payload, err := decodeJWT(token)
	if err != nil {
		return err
	}
	var audience string
	if err := payload.get("aud", &audience); err != nil || audience != "api://payments" {
		return errors.Join(fmt.Errorf("its audience is %q", audience), err)
	}
	s.tell.line("its audience is %s (kept in %s)", audience, s.typed(file))
	return s.refusedByAPI(ctx, request{url: s.orders, certificate: checkout, tokenFile: file})
}
