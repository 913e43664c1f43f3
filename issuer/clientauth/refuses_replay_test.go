package clientauth_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/clientauth"
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/replay"
)

func TestRefusesReplayedAssertion(t *testing.T) {
	a := newWorld(t).authenticator()
	assertion := own(t, jose.ES256, claim("jti", "once"))
	accepted(t, a, bearer(assertion))
	refused(t, a, bearer(assertion), oauth.ErrIdentity, "assertion_replayed")
	// Also as another assertion, and with the other of the two signatures (r, s) and
	// (r, n-s), which anybody can make of the one.
	refused(t, a, bearer(own(t, jose.ES256, claim("jti", "once"))), oauth.ErrIdentity, "assertion_replayed")
	refused(t, a, bearer(flipS(t, assertion)), oauth.ErrIdentity, "assertion_replayed")
	// Until the last moment at which it would be accepted.
	at := now.Add(5*time.Minute + 29*time.Second)
	if _, refusal := a.Authenticate(t.Context(), bearer(assertion), at, &clientauth.Seen{}); refusal == nil || refusal.Reason != "assertion_replayed" {
		t.Errorf("at the end: %v", refusal)
	}
}

func flipS(t *testing.T, assertion string) string {
	t.Helper()
	i := strings.LastIndexByte(assertion, '.') + 1
	signature, err := base64.RawURLEncoding.DecodeString(assertion[i:])
	if err != nil {
		t.Fatal(err)
	}
	s := new(big.Int).SetBytes(signature[32:])
	new(big.Int).Sub(elliptic.P256().Params().N, s).FillBytes(signature[32:])
	return assertion[:i] + base64.RawURLEncoding.EncodeToString(signature)
}

func TestRefusesReplayedAssertionAtOnce(t *testing.T) {
	a := newWorld(t).authenticator()
	for range 10 {
		p := bearer(own(t, jose.ES256, nil))
		var passed atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if _, refusal := a.Authenticate(t.Context(), p, now, &clientauth.Seen{}); refusal == nil {
					passed.Add(1)
				}
			})
		}
		group.Wait()
		if n := passed.Load(); n != 1 {
			t.Fatalf("%d of 8 passed", n)
		}
	}
}

func TestRefusesWhenTheReplayMemoryIsFull(t *testing.T) {
	a := newWorld(t).authenticator()
	first := own(t, jose.ES256, nil)
	accepted(t, a, bearer(first))
	for range 9 {
		accepted(t, a, bearer(own(t, jose.ES256, nil)))
	}
	refused(t, a, bearer(own(t, jose.ES256, nil)), oauth.ErrReplayQuota, "")
	refused(t, a, bearer(first), oauth.ErrIdentity, "assertion_replayed") // nothing was forgotten
	a.Replay = nil
	refused(t, a, bearer(own(t, jose.ES256, nil)), oauth.ErrReplayQuota, "")
	a.Replay = replay.New(1, 1)
	accepted(t, a, bearer(own(t, jose.ES256, nil)))
}
