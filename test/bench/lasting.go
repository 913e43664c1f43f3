package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyard-dev/lanyard/test/bench/stand"
)

// lasting is what many tokens did to the issuer's memory.
type lasting struct {
	tokens        int
	before, after int64 // bytes resident
}

// maxGrowth is how much more memory the issuer may have resident after all tokens
// than after the first tenth of them: what its collector leaves lying differs by
// some MiB from one moment to the next.
const maxGrowth = 8 << 20

// burst is for how long one load asks.
const burst = 5 * time.Second

// last asks for tokens until there were so many, by certificate and by assertion in
// turn, and watches the issuer's memory.
func (r run) last(ctx context.Context) (lasting, error) {
	var l lasting
	s := r.servers[serverIssuer]
	for n := 0; l.tokens < r.tokens; n++ {
		c := r.contender([]string{"mtls", "federated, seen before"}[n%2])
		peers, err := c.way(r.fixture, c.path, crowd{peers: r.connections})
		if err != nil {
			return l, err
		}
		got, err := r.ask(ctx, c, job{Connections: peers, Duration: burst})
		if err != nil {
			return l, err
		}
		l.tokens += got.Tokens
		if l.after, err = stand.Memory(s.PID()); err != nil {
			return l, err
		}
		if l.before == 0 && l.tokens >= r.tokens/10 {
			l.before = l.after
		}
		fmt.Fprintf(r.out, "  %d tokens: %.1f MiB resident\n", l.tokens, mebibytes(l.after))
	}
	return l, nil
}
