package kube

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyard-dev/lanyard/issuer/tokenservice"
)

// One jti is written once, however often and by however many it is asked for.
func TestARevocationIsWrittenOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{takes: 10 * time.Millisecond}
		r, stop := a.start(t)
		defer stop()
		same := func(int) tokenservice.RevokedToken { return tokenToRevoke(1) }
		for range 2 { // while it waits, and once it is stored
			if n := howMany(revoke(t, r, 100, 1, same), nil); n != 100 {
				t.Errorf("%d of 100 callers heard that it is stored", n)
			}
		}
		if diff := cmp.Diff([]int{1}, a.sizes()); diff != "" {
			t.Errorf("tokens in each object (-want +got):\n%s", diff)
		}
		go func() { _, _ = r.Revoke(t.Context(), tokenToRevoke(2), plenty) }()
		time.Sleep(55 * time.Millisecond)
		if n := howMany(revoke(t, r, 1, plenty, func(int) tokenservice.RevokedToken { return tokenToRevoke(2) }), nil); n != 1 || len(a.stored) != 2 {
			t.Errorf("one that is being written: %d, %d objects", n, len(a.stored))
		}
	})
}

func TestRefusesRevocationsBeyondTheQuotaAlsoInParallel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &archive{takes: 10 * time.Millisecond}
		r, stop := a.start(t)
		defer stop()
		const quota, more = 600, 200 // more than one object holds
		mine := func(i int) tokenservice.RevokedToken { return tokenOf("shop", "checkout", i) }
		errs := revoke(t, r, quota+more, quota, mine)
		if n, no := howMany(errs, nil), howMany(errs, errQuota); n != quota || no != more || a.known.RevokedBy("shop/checkout") != quota {
			t.Errorf("%d were stored and %d refused; want %d and %d", n, no, quota, more)
		}
		another := func(i int) tokenservice.RevokedToken { return tokenOf("shop", "basket", quota+more+i) }
		if n := howMany(revoke(t, r, 3, quota, another), nil); n != 3 {
			t.Errorf("%d of 3 were stored of another client", n)
		}

		a.err = errors.New("etcd is full")
		if n := howMany(revoke(t, r, quota, quota, func(i int) tokenservice.RevokedToken { return tokenOf("shop", "cart", 2000+i) }), errQuota); n != 0 {
			t.Errorf("%d were refused within the quota", n)
		}
		a.err = nil
		if n := howMany(revoke(t, r, quota, quota, func(i int) tokenservice.RevokedToken { return tokenOf("shop", "cart", 3000+i) }), nil); n != quota {
			t.Errorf("%d were stored after a failure; what failed must not count", n)
		}
	})
}

// While the API server is slow one tenant fills its share, with however many clients.
func TestRefusesOneTenantsRevocationsWithoutHarmToOthers(t *testing.T) {
	for name, clients := range map[string]int{"one client": 1, "many clients": 100} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := &archive{takes: 4 * time.Second}
				r, stop := a.start(t)
				defer stop()
				var evil sync.WaitGroup
				evil.Go(func() {
					errs := revoke(t, r, 2*revocationsQueue, plenty, func(i int) tokenservice.RevokedToken {
						return tokenOf("evil", fmt.Sprint("client-", i%clients), i)
					})
					if n := howMany(errs, nil); n != revocationsShare || howMany(errs, errTooManyRevocations) != len(errs)-n {
						t.Errorf("%d were stored; want its share, %d", n, revocationsShare)
					}
				})
				synctest.Wait()
				if n := howMany(revoke(t, r, 10, 10, func(i int) tokenservice.RevokedToken { return tokenOf("shop", "checkout", -1-i) }), nil); n != 10 {
					t.Errorf("%d of the neighbour's 10 were stored", n)
				}
				evil.Wait()
			})
		})
	}
}
