package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// Options say what the app does.
type Options struct {
	// Call is made again and again. Without a URL there are only the calls that are asked for.
	Call Call
	// PerSecond is how many calls are begun each second, whether or not earlier ones have ended.
	PerSecond float64
	// Successes ends the app well after as many; 0 means never.
	Successes int
	// Drain is how long the app still calls after it was told to end.
	Drain time.Duration
	// Control is the address that [App.Handler] is served at; empty means nowhere.
	Control string
}

// maxUnderWay bounds the calls that have not ended: more fail at once, and say why.
const maxUnderWay = 500

// App calls, and counts.
type App struct {
	options Options
	caller  *Caller
	counts  counts
	rate    chan float64
	enough  chan struct{} // closed after the last success that was asked for
	once    sync.Once
}

// New returns an app that began at begun.
func New(options Options, caller *Caller, begun time.Time) *App {
	return &App{
		options: options, caller: caller, counts: counts{report: Report{Begun: begun}},
		rate: make(chan float64), enough: make(chan struct{}),
	}
}

// Report is what came of the calls so far.
func (a *App) Report() Report { return a.counts.current() }

// Run calls until ctx ends, and then for as long as Options.Drain says, or until there were
// enough successes.
func (a *App) Run(ctx context.Context) error {
	stop, err := a.serve(ctx)
	if err != nil {
		return err
	}
	defer stop()
	calling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var callers sync.WaitGroup
	callers.Go(func() { a.call(calling) })
	select {
	case <-a.enough:
	case <-ctx.Done():
		a.counts.ending()
		select {
		case <-a.enough:
		case <-time.After(a.options.Drain):
		}
	}
	cancel()
	callers.Wait()
	return nil
}

// serve serves the control port until stop is called.
func (a *App) serve(ctx context.Context) (stop func(), err error) {
	if a.options.Control == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", a.options.Control)
	if err != nil {
		return nil, fmt.Errorf("--control: %w", err)
	}
	server := &http.Server{Handler: a.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // the socket is gone: nobody could ask any more
		}
	}()
	return func() { _ = server.Close() }, nil
}

// call begins a call at once and at each tick, and returns when all have ended.
func (a *App) call(ctx context.Context) {
	if a.options.Call.URL == "" {
		return
	}
	ticker := time.NewTicker(time.Hour)
	defer ticker.Stop()
	pace(ticker, a.options.PerSecond)
	var calls sync.WaitGroup
	defer calls.Wait()
	underWay := make(chan struct{}, maxUnderWay)
	begin := func(due time.Time) {
		select {
		case underWay <- struct{}{}:
			calls.Go(func() { a.one(ctx, due); <-underWay })
		default:
			a.counts.count(due, time.Now(), fmt.Sprintf("not begun: %d calls are under way", maxUnderWay))
		}
	}
	if a.options.PerSecond > 0 {
		begin(time.Now())
	}
	for {
		select {
		case <-ctx.Done():
			return
		case rate := <-a.rate:
			pace(ticker, rate)
		case due := <-ticker.C:
			begin(due)
		}
	}
}

// pace has the ticker tick as often; never, if the rate is 0.
func pace(ticker *time.Ticker, perSecond float64) {
	if perSecond <= 0 {
		ticker.Reset(24 * time.Hour * 365)
		return
	}
	ticker.Reset(time.Duration(float64(time.Second) / perSecond))
}

// one makes a call. What is under way when the app ends is not counted as a failure: it was the
// app that gave up.
func (a *App) one(ctx context.Context, due time.Time) {
	answer := a.caller.Do(ctx, a.options.Call)
	if ctx.Err() != nil && answer.Refusal() != "" {
		return
	}
	successes := a.counts.count(due, time.Now(), answer.Refusal())
	if n := a.options.Successes; n > 0 && successes >= n {
		a.once.Do(func() { close(a.enough) })
	}
}
