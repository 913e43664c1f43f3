package tokens_test

import (
	"crypto/tls"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/sidecar/tokens"
	"github.com/lanyard-dev/lanyard/test/testcert"
)

// disk is the files of a certificate.
type disk struct {
	mu          sync.Mutex
	certificate *tls.Certificate
	err         error
}

func (d *disk) load() (*tls.Certificate, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.certificate, d.err
}

func (d *disk) put(c *tls.Certificate, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.certificate, d.err = c, err
}

// TestRefusesATokenForTheOldCertificateBesideTheNewOne: they are switched together.
func TestRefusesATokenForTheOldCertificateBesideTheNewOne(t *testing.T) {
	old, renewed := certificate(t), certificate(t)
	synctest.Test(t, func(t *testing.T) {
		disk := &disk{certificate: old}
		issuer := &issuer{t: t, takes: time.Second}
		s := start(t, issuer, disk.load, orders, billing)
		issuer.want(s.Token(t.Context(), orders))
		issuer.want(s.Token(t.Context(), billing))
		disk.put(renewed, nil)
		switched := time.Time{}
		for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(10 * time.Millisecond) {
			view, _ := s.View()
			for _, token := range view.Tokens {
				if token.Certificate != view.Certificate || token.Thumbprint != tokens.Thumbprint(view.Certificate) {
					t.Fatal("a token stands beside a certificate that it does not belong to")
				}
			}
			if len(view.Tokens) != 2 {
				t.Fatal("a token was given up")
			}
			if view.Certificate == renewed && switched.IsZero() {
				switched = time.Now()
			}
		}
		if switched.IsZero() {
			t.Error("it was not switched")
		}
		time.Sleep(20 * time.Minute) // refreshed with the new one
		if got := issuer.want(s.Token(t.Context(), orders)); got.Certificate != renewed {
			t.Error("the old certificate came back")
		}
	})
}

func TestTheOldPairStays(t *testing.T) {
	old, renewed := certificate(t), certificate(t)
	for name, test := range map[string]struct {
		hinder, clear func(*issuer, *disk)
	}{
		"while the new certificate is not pinned yet": {
			func(i *issuer, d *disk) { i.unpinned = renewed; d.put(renewed, nil) },
			func(i *issuer, _ *disk) { i.unpinned = nil },
		},
		"while certificate and key do not match": {
			func(_ *issuer, d *disk) { d.put(nil, errors.New("private key does not match public key")) },
			func(_ *issuer, d *disk) { d.put(renewed, nil) },
		},
		"while the issuer is away": {
			func(i *issuer, d *disk) { i.away = &tokens.Unavailable{Cause: errAway}; d.put(renewed, nil) },
			func(i *issuer, _ *disk) { i.away = nil },
		},
		"while one resource cannot be looked up": {
			func(i *issuer, d *disk) {
				i.refuses = map[string]error{billing: &tokens.Unavailable{Cause: errAway}}
				d.put(renewed, nil)
			},
			func(i *issuer, _ *disk) { i.refuses = nil },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				disk, issuer := &disk{certificate: old}, &issuer{t: t}
				s := start(t, issuer, disk.load, orders, billing)
				issuer.want(s.Token(t.Context(), orders))
				issuer.want(s.Token(t.Context(), billing))
				issuer.set(func() { test.hinder(issuer, disk) })
				time.Sleep(2 * time.Minute)
				for _, r := range []string{orders, billing} {
					if got := issuer.want(s.Token(t.Context(), r)); got.Certificate != old {
						t.Error("the new certificate is in use")
					}
				}
				issuer.set(func() { test.clear(issuer, disk) })
				time.Sleep(22 * time.Second)
				synctest.Wait()
				if got := issuer.want(s.Token(t.Context(), orders)); got.Certificate != renewed {
					t.Error("the old certificate is still in use")
				}
			})
		})
	}
}

// What the issuer refuses for what it is does not keep the others from the new certificate.
func TestAResourceThatIsNoLongerGrantedDoesNotHinder(t *testing.T) {
	old, renewed := certificate(t), certificate(t)
	synctest.Test(t, func(t *testing.T) {
		disk, issuer := &disk{certificate: old}, &issuer{t: t}
		s := start(t, issuer, disk.load, orders, billing)
		issuer.want(s.Token(t.Context(), billing))
		issuer.set(func() {
			issuer.refuses = map[string]error{billing: &tokens.Refused{Resource: billing, Code: oauth.InvalidScope}}
			disk.put(renewed, nil)
		})
		time.Sleep(3 * time.Second)
		if got := issuer.want(s.Token(t.Context(), orders)); got.Certificate != renewed {
			t.Error("the old certificate is still in use")
		}
		if _, err := s.Token(t.Context(), billing); !is[*tokens.Refused](err) {
			t.Errorf("got %v", err)
		}
	})
}

// A pod that starts with a certificate which has ended, or is no longer pinned, takes
// the next one as soon as that works.
func TestWithoutAnyTokenTheNewCertificateIsTaken(t *testing.T) {
	old, renewed := certificate(t), certificate(t)
	synctest.Test(t, func(t *testing.T) {
		disk, issuer := &disk{certificate: old}, &issuer{t: t, unpinned: old}
		s := start(t, issuer, disk.load, orders)
		time.Sleep(time.Minute)
		disk.put(renewed, nil)
		time.Sleep(1500 * time.Millisecond)
		if got := issuer.want(s.Token(t.Context(), orders)); got.Certificate != renewed {
			t.Error("the old certificate is still in use")
		}
	})
}

func TestTheFirstCertificateIsWaitedFor(t *testing.T) {
	first := certificate(t)
	synctest.Test(t, func(t *testing.T) {
		disk, issuer := &disk{err: errors.New("--cert: no such file")}, &issuer{t: t}
		s := start(t, issuer, disk.load, orders)
		time.Sleep(time.Minute)
		if err := s.Missing(); err == nil || !errors.Is(err, disk.err) || issuer.asked(orders) != 0 {
			t.Errorf("got %v after %d requests", err, issuer.asked(orders))
		}
		disk.put(first, nil)
		began := time.Now()
		if got := issuer.want(s.Token(t.Context(), orders)); got.Certificate != first || time.Since(began) > time.Second {
			t.Errorf("after %s", time.Since(began))
		}
	})
}

// Something between sidecar and issuer ends TLS with a certificate of its own.
func TestRefusesATokenThatIsBoundToAnotherCertificate(t *testing.T) {
	own, other := certificate(t), certificate(t)
	synctest.Test(t, func(t *testing.T) {
		disk, issuer := &disk{certificate: own}, &issuer{t: t, binds: other}
		s := start(t, issuer, disk.load, orders)
		time.Sleep(time.Minute)
		if err := s.Missing(); !is[*tokens.Unavailable](err) {
			t.Errorf("got %v", err)
		}
		if view, _ := s.View(); len(view.Tokens) > 0 {
			t.Error("it is handed out")
		}
	})
}

func certificate(t testing.TB) *tls.Certificate {
	t.Helper()
	c := testcert.New(t, "checkout")
	return &c
}
