package httpapi

import (
	"net/http"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

// statusOf is the one place that turns a refusal into an HTTP status.
//
// What HTTP itself refuses, before there is an OAuth request at all, has HTTP's own
// status (RFC 9110 section 15.5); everything else what RFC 6749 section 5.2 says.
func statusOf(n oauth.Number) int {
	switch n {
	case oauth.ErrNotFound:
		return http.StatusNotFound
	case oauth.ErrWrongMethod:
		return http.StatusMethodNotAllowed
	case oauth.ErrBodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case oauth.ErrWrongContentType:
		return http.StatusUnsupportedMediaType
	default:
		return statusOfCode(n.Code())
	}
}

func statusOfCode(c oauth.Code) int {
	switch c {
	case oauth.InvalidClient:
		return http.StatusUnauthorized
	case oauth.SlowDown:
		return http.StatusTooManyRequests
	case oauth.TemporarilyUnavailable:
		return http.StatusServiceUnavailable
	case oauth.ServerError:
		return http.StatusInternalServerError
	default:
		return http.StatusBadRequest
	}
}

// retryAfter is how many seconds a caller should wait (RFC 9110 section 10.2.3);
// empty where waiting does not help.
func retryAfter(n oauth.Number) string {
	switch statusOf(n) {
	case http.StatusTooManyRequests:
		if n == oauth.ErrReplayQuota || n == oauth.ErrRevocationQuota {
			return "30" // until something that is remembered has ended
		}
		return "1"
	case http.StatusServiceUnavailable:
		return "2"
	default:
		return ""
	}
}
