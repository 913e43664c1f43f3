package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestIssuerOnARealControlPlane(t *testing.T) {
	s := newStage(t)
	s.account(t, "checkout")
	s.declareOrders(t)
	s.declare(t, "checkout")
	stop := s.start(t)

	testenv.Eventually(t, func(ctx context.Context) error {
		if status, text := s.get(ctx, t, "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(text, "a signing key") {
			return fmt.Errorf("/readyz: %d %s", status, text)
		}
		return nil
	})
	if a := s.ask(t.Context(), t, "x", ""); a.Status != http.StatusServiceUnavailable {
		t.Errorf("without keys the issuer answers %d %s", a.Status, a.raw)
	}
	s.keys(t)
	testenv.Eventually(t, func(ctx context.Context) error {
		if status, text := s.get(ctx, t, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", status, text)
		}
		return nil
	})

	t.Run("a pod that started a moment ago gets a token", func(t *testing.T) {
		for i := range 10 {
			p := s.pod(t, fmt.Sprintf("new-%d", i), "checkout", "")
			if a := s.ask(t.Context(), t, s.projected(t, "checkout", p), ""); a.Status != http.StatusOK {
				t.Fatalf("got %d %s", a.Status, a.raw)
			}
		}
	})
	t.Run("mutual TLS", func(t *testing.T) {
		if a := s.ask(t.Context(), t, "", s.shop+"/checkout"); a.Status != http.StatusOK {
			t.Errorf("got %d %s", a.Status, a.raw)
		}
	})
	t.Run("refuses a token that is bound to no pod", func(t *testing.T) {
		if a := s.ask(t.Context(), t, s.projected(t, "checkout", nil), ""); a.Status != http.StatusUnauthorized {
			t.Errorf("got %d %s", a.Status, a.raw)
		}
	})
	t.Run("refuses a deleted pod within a second", func(t *testing.T) {
		s.within(t, "deletion of a pod", http.StatusUnauthorized, func() func() answer {
			p := s.pod(t, "goes", "checkout", "")
			token := s.projected(t, "checkout", p)
			if a := s.ask(t.Context(), t, token, ""); a.Status != http.StatusOK {
				t.Fatalf("got %d %s", a.Status, a.raw)
			}
			check(t, s.env.Client.Delete(t.Context(), p))
			return func() answer { return s.ask(t.Context(), t, token, "") }
		})
	})
	t.Run("accepts a pod that drains, and refuses it once it is gone", func(t *testing.T) {
		s.within(t, "end of a pod", http.StatusUnauthorized, func() func() answer {
			p := s.pod(t, "drains", "checkout", "node-1")
			token := s.projected(t, "checkout", p)
			check(t, s.env.Client.Delete(t.Context(), p, client.GracePeriodSeconds(60)))
			if a := s.ask(t.Context(), t, token, ""); a.Status != http.StatusOK {
				t.Errorf("while it drains, got %d %s", a.Status, a.raw)
			}
			check(t, s.env.Client.Delete(t.Context(), p, client.GracePeriodSeconds(0)))
			return func() answer { return s.ask(t.Context(), t, token, "") }
		})
	})
	t.Run("refuses a pod that has Succeeded", func(t *testing.T) {
		done := 0
		s.within(t, "success of a pod", http.StatusUnauthorized, func() func() answer {
			done++
			p := s.pod(t, fmt.Sprint("done-", done), "checkout", "node-1")
			token := s.projected(t, "checkout", p)
			p.Status.Phase = corev1.PodSucceeded
			check(t, s.env.Client.Status().Update(t.Context(), p))
			return func() answer { return s.ask(t.Context(), t, token, "") }
		})
	})
	t.Run("refuses a pod of the same name that was made anew", func(t *testing.T) {
		p := s.pod(t, "again", "checkout", "")
		var old string
		anew := func() {
			old = s.projected(t, "checkout", p)
			check(t, s.env.Client.Delete(t.Context(), p))
			p = s.pod(t, "again", "checkout", "")
		}
		s.within(t, "a new pod's token", http.StatusOK, func() func() answer {
			anew()
			return func() answer { return s.ask(t.Context(), t, s.projected(t, "checkout", p), "") }
		})
		s.within(t, "the old pod's token", http.StatusUnauthorized, func() func() answer {
			anew()
			return func() answer { return s.ask(t.Context(), t, old, "") }
		})
	})
	t.Run("refuses a client within a second of its suspension, and resumes", func(t *testing.T) {
		ask := func() answer { return s.ask(t.Context(), t, "", s.shop+"/checkout") }
		suspended := map[bool]int{true: http.StatusUnauthorized, false: http.StatusOK}
		for what, set := range map[string]func(suspend bool){
			"of the client": func(suspend bool) {
				c := &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: "checkout"}}
				check(t, s.env.Client.Patch(t.Context(), c, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"suspend":%v}}`, suspend))))
			},
			"of the namespace": func(suspend bool) {
				ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.shop}}
				check(t, s.env.Client.Patch(t.Context(), ns, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"metadata":{"annotations":{"lanyard.dev/suspend":"%v"}}}`, suspend))))
			},
		} {
			change := func(suspend bool) func() func() answer {
				return func() func() answer {
					set(!suspend)
					s.comesTo(t, "before", suspended[!suspend], ask)
					set(suspend)
					return ask
				}
			}
			s.within(t, "suspension "+what, suspended[true], change(true))
			s.within(t, "resumption "+what, suspended[false], change(false))
		}
	})
	t.Run("refuses a service account of the same name that was made anew", func(t *testing.T) {
		p := s.pod(t, "loses-its-account", "checkout", "")
		var old string
		goes := func() {
			old = s.projected(t, "checkout", p)
			check(t, s.env.Client.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: "checkout"}}))
		}
		s.within(t, "deletion of a service account", http.StatusUnauthorized, func() func() answer {
			if old != "" { // once more
				s.account(t, "checkout")
			}
			goes()
			return func() answer { return s.ask(t.Context(), t, old, "") }
		})
		s.account(t, "checkout")
		s.within(t, "a new service account's token", http.StatusOK, func() func() answer {
			goes()
			s.account(t, "checkout")
			return func() answer { return s.ask(t.Context(), t, s.projected(t, "checkout", p), "") }
		})
		s.comesTo(t, "the old token", http.StatusUnauthorized, func() answer { return s.ask(t.Context(), t, old, "") })
	})
	t.Run("measures how far behind it is", func(t *testing.T) {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "lanyard-system", Name: "lanyard-controller"}}
		check(t, s.env.Client.Create(t.Context(), lease))
		testenv.Eventually(t, func(ctx context.Context) error {
			lease.Spec.RenewTime = new(metav1.NowMicro())
			if err := s.env.Client.Update(ctx, lease); err != nil {
				return err
			}
			_, text := s.get(ctx, t, "/metrics")
			for _, want := range []string{"lanyard_issuer_watch_delay_seconds_count ", `lanyard_issuer_propagation_seconds_count{kind="OAuthClient"}`, "lanyard_issuer_staleness_seconds "} {
				if _, value, ok := strings.Cut(text, "\n"+want); !ok || strings.HasPrefix(strings.TrimSpace(value), "0\n") {
					return fmt.Errorf("%s is not there, or 0", want)
				}
			}
			return nil
		})
	})

	t.Run("goes on from memory while the API server is away", func(t *testing.T) {
		known := s.projected(t, "checkout", s.pod(t, "known", "checkout", ""))
		s.remembers(t, known)
		mine := s.ask(t.Context(), t, "", s.shop+"/checkout").AccessToken
		s.wire.cut()
		unknown := s.projected(t, "checkout", s.pod(t, "unknown", "checkout", ""))
		revoke := func(ctx context.Context) answer {
			return s.post(ctx, t, "/oauth2/revoke", url.Values{"client_id": {s.shop + "/checkout"}, "token": {mine}})
		}
		if a := revoke(t.Context()); a.Status != http.StatusServiceUnavailable {
			t.Errorf("a revocation that cannot be stored: %d %s; want 503", a.Status, a.raw)
		}
		goes := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: s.shop, Name: "known"}}
		check(t, s.env.Client.Delete(t.Context(), goes))
		if a := s.ask(t.Context(), t, known, ""); a.Status != http.StatusOK {
			t.Errorf("a known pod: %d %s", a.Status, a.raw)
		}
		if a := s.ask(t.Context(), t, unknown, ""); a.Status != http.StatusServiceUnavailable {
			t.Errorf("a pod that was never heard of: %d %s; want 503: could not tell", a.Status, a.raw)
		}
		if is, want := s.lookUps(t.Context(), t), `lanyard_issuer_lookups_total{kind="Pod",outcome="failed"} 1`; !slices.Contains(is, want) {
			t.Errorf("/metrics says %q; want %s", is, want)
		}
		s.wire.mend(t)
		testenv.Eventually(t, func(ctx context.Context) error {
			if a := s.ask(ctx, t, known, ""); a.Status != http.StatusUnauthorized {
				return fmt.Errorf("what was deleted meanwhile: %d %s", a.Status, a.raw)
			}
			if a := s.ask(ctx, t, unknown, ""); a.Status != http.StatusOK {
				return fmt.Errorf("what was made meanwhile: %d %s", a.Status, a.raw)
			}
			if a := revoke(ctx); a.Status != http.StatusOK {
				return fmt.Errorf("a revocation: %d %s", a.Status, a.raw)
			}
			return nil
		})
	})

	if err := stop(); err != nil {
		t.Errorf("the issuer ended: %v", err)
	}
	if !strings.Contains(s.log.String(), `"msg":"stopped"`) {
		t.Error("the issuer did not say that it stopped")
	}
	t.Run("needs less than 40 MiB with 100 clients, and ends in order", s.memory)
}

// memory runs the program itself, as the image does, and looks at its resident memory.
func (s *stage) memory(t *testing.T) {
	const limit = 40 << 10 // KiB
	for i := range 99 {
		s.declare(t, fmt.Sprintf("client-%d", i))
	}
	program := filepath.Join(s.dir, "issuer")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program,
		"--issuer-url="+s.opts.IssuerURL, "--listen="+s.opts.Listen, "--ops-listen="+s.opts.OpsListen,
		"--tls-cert="+s.opts.TLSCert, "--tls-key="+s.opts.TLSKey, "--kubeconfig="+s.opts.Kubeconfig, "--shutdown-delay=0s")
	var log bytes.Buffer
	cmd.Stderr = &log
	check(t, cmd.Start())
	testenv.Eventually(t, func(ctx context.Context) error {
		if status, text := s.get(ctx, t, "/readyz"); status != http.StatusOK {
			return fmt.Errorf("/readyz: %d %s", status, text)
		}
		return nil
	})
	for range 500 {
		if a := s.ask(t.Context(), t, "", s.shop+"/client-7"); a.Status != http.StatusOK {
			t.Fatalf("got %d %s", a.Status, a.raw)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err == nil { // Linux
		for _, field := range []string{"VmRSS", "VmHWM", "RssAnon"} {
			var kib int
			_, text, _ := strings.Cut(string(status), "\n"+field+":")
			_, err := fmt.Sscan(text, &kib)
			check(t, err)
			t.Logf("%s: %d KiB", field, kib)
			if field == "VmRSS" && kib > limit {
				t.Errorf("resident: %d KiB; want %d at most", kib, limit)
			}
		}
	}
	check(t, cmd.Process.Signal(syscall.SIGTERM))
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log.String())
	}
}
