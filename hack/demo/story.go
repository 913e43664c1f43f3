package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// inForce is how soon every change of an object must be in force at the issuer.
const inForce = time.Second

// step is one step of the story: what is done, why, and how it must turn out.
type step struct {
	// chapter, where it is not empty, begins with this step.
	chapter string
	title   string
	// text says what is done and why, to somebody who sees it for the first time.
	text string
	// want says how it must turn out.
	want string
	do   func(*story, context.Context) error
}

// story is the telling of it.
type story struct {
	*Demo

	issuer, orders string
}

// steps are the story, in order.
func steps() []step {
	var all []step
	for _, part := range [][]step{declareSteps(), decideSteps(), useSteps(), refuseSteps(), endSteps()} {
		all = append(all, part...)
	}
	return all
}

// Tell tells the story, step by step. It goes on after a step that turned out otherwise, and its
// error names the first of them.
func (d *Demo) Tell(ctx context.Context) error {
	ports, err := d.ports()
	if err != nil {
		return err
	}
	s := &story{Demo: d, issuer: ports.issuerURL(), orders: ports.ordersURL() + "/orders"}
	if err := s.reset(ctx); err != nil {
		return fmt.Errorf("removing what an earlier telling has left: %w", err)
	}
	begun := time.Now()
	all := steps()
	var failed []string
	for i, st := range all {
		if st.chapter != "" {
			d.tell.chapter(st.chapter, "")
		}
		d.tell.step(i+1, st.title, st.text)
		err := st.do(s, ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			failed = append(failed, fmt.Sprintf("step %d (%s)", i+1, st.title))
			d.tell.otherwise(st.want, err)
			continue
		}
		d.tell.expected(st.want)
	}
	d.tell.chapter(fmt.Sprintf("%d steps, %d as expected, %s", len(all), len(all)-len(failed), time.Since(begun).Round(100*time.Millisecond)), "")
	if len(failed) > 0 {
		return fmt.Errorf("%s turned out otherwise%s; the logs are in %s", failed[0], others(failed[1:]), d.typed("logs"))
	}
	return nil
}

func others(failed []string) string {
	if len(failed) == 0 {
		return ""
	}
	return ", and so did " + strings.Join(failed, ", ")
}

// try shows a request and sends it, once.
func (s *story) try(ctx context.Context, r request) (answer, error) {
	s.tell.command(s.curl(r))
	a, err := s.send(ctx, r)
	if err != nil {
		return a, err
	}
	s.show(a)
	return a, nil
}

// tryUntil shows a request, and sends it until the answer is as wanted: a change needs a moment
// to be in force. It shows the last answer, and returns after how long what was answered so was
// sent; later than inForce is an error. How long the answer takes is another question.
func (s *story) tryUntil(ctx context.Context, r request, wanted func(answer) error) (a answer, took time.Duration, err error) {
	s.tell.command(s.curl(r))
	begun := time.Now()
	for {
		took = time.Since(begun)
		a, err = s.send(ctx, r)
		if err == nil {
			err = wanted(a)
		}
		if err == nil || took > inForce || ctx.Err() != nil {
			break
		}
	}
	s.show(a)
	if err == nil && took > inForce {
		err = errors.New("it was in force only after " + took.String())
	}
	return a, took, err
}

// tokenRequest asks the token endpoint for a scope.
func (s *story) tokenRequest(certificate, scope string, authentication ...field) request {
	form := append([]field{{name: "grant_type", value: "client_credentials"}}, authentication...)
	return request{url: s.issuer + "/oauth2/token", certificate: certificate, form: append(form, field{name: "scope", value: scope})}
}

// assertion authenticates a client with the service account token in a file (RFC 7523).
func assertion(file string) []field {
	return []field{
		{name: "client_assertion_type", value: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		{name: "client_assertion", file: file},
	}
}

// eventually waits until condition is nil, and returns its last error if that takes too long.
func eventually(ctx context.Context, condition func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := condition(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("still not so after 30 s: %w", err)
		case <-ticker.C:
		}
	}
}
