package egress

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/lanyard-dev/lanyard/sidecar/tokens"
)

// sayEvery is how often the log repeats a reason. The metrics count each call.
const sayEvery = time.Minute

// failure is the body of an answer that is this proxy's own and not the upstream's.
type failure struct {
	// Error is one of foreign_request, invalid_request, token_refused, token_unavailable,
	// upstream_unreachable and upstream_timeout.
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// fail answers a request that the upstream did not. What is logged is logged here, once.
func (u *upstream) fail(seen *observation) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if r.Context().Err() != nil { // the app went away; nobody reads this
			seen.result = resultCancelled
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		err = u.explain(err)
		status, body, result := describe(err, u.URL.Host)
		seen.result = result
		if u.sayable(body.Error) {
			u.log.Warn("a call could not be passed on", "reason", body.Error, "error", err)
		}
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", retryAfter(err))
		}
		answer(w, status, body)
	}
}

// sayable says whether a reason is to be logged: once in sayEvery, however many calls fail.
func (u *upstream) sayable(reason string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	if last, ok := u.said[reason]; ok && now.Sub(last) < sayEvery {
		return false
	}
	u.said[reason] = now
	return true
}

// explain adds what to change where the upstream's certificate is of nobody that is known.
func (u *upstream) explain(err error) error {
	switch {
	case !errors.As(err, new(x509.UnknownAuthorityError)):
		return err
	case u.CAConfigMap == "":
		return fmt.Errorf("%w; the upstream has no caConfigMap: name there the ConfigMap whose ca.crt has the root", err)
	default:
		return fmt.Errorf("%w; the key ca.crt of ConfigMap %s, the upstream's caConfigMap, lacks the root", err, u.CAConfigMap)
	}
}

// describe says what an error means to the app, for an upstream of that host.
func describe(err error, host string) (status int, body failure, result string) {
	var network net.Error
	isNoToken := errors.As(err, new(noTokenError))
	refused, isRefused := tokens.AsRefused(err)
	switch {
	case isRefused:
		return http.StatusBadGateway, failure{"token_refused", refused.Error()}, resultNoToken
	case isNoToken && errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout, failure{"token_unavailable", err.Error()}, resultNoToken
	case isNoToken:
		return http.StatusServiceUnavailable, failure{"token_unavailable", err.Error()}, resultNoToken
	case errors.As(err, &network) && network.Timeout():
		return http.StatusGatewayTimeout, failure{"upstream_timeout", host + " does not answer: " + err.Error()}, resultTimeout
	default:
		return http.StatusBadGateway, failure{"upstream_unreachable", host + " cannot be called: " + err.Error()}, resultUnreachable
	}
}

// retryAfter is what the issuer asked for, or the few seconds in which most of it passes.
func retryAfter(err error) string {
	if away, ok := errors.AsType[*tokens.Unavailable](err); ok && away.RetryAfter > 0 {
		return strconv.Itoa(int(math.Ceil(away.RetryAfter.Seconds())))
	}
	return "5"
}

func answer(w http.ResponseWriter, status int, f failure) {
	body, err := json.Marshal(f)
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the app may be gone
}
