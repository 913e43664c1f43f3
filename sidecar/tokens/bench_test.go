package tokens_test

import (
	"log/slog"
	"testing"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// BenchmarkToken is what each call through an upstream pays for its token.
func BenchmarkToken(b *testing.B) {
	s := tokens.New(config(&issuer{}, nil, slog.New(slog.DiscardHandler), orders))
	go s.Run(b.Context())
	if _, err := s.Token(b.Context(), orders); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Token(b.Context(), orders); err != nil {
				b.Error(err)
			}
		}
	})
}

func TestATokenFromMemoryAllocatesNothing(t *testing.T) {
	s := start(t, &issuer{t: t}, nil, orders)
	if _, err := s.Token(t.Context(), orders); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { _, _ = s.Token(t.Context(), orders) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
