package httpapi

import (
	"net/http"
	"strings"
	"testing"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
)

func TestEveryRefusalHasItsStatus(t *testing.T) {
	byCode := map[oauth.Code]int{
		oauth.InvalidRequest: 400, oauth.InvalidClient: 401, oauth.UnauthorizedClient: 400, oauth.UnsupportedGrantType: 400,
		oauth.InvalidScope: 400, oauth.InvalidTarget: 400, oauth.ServerError: 500, oauth.TemporarilyUnavailable: 503, oauth.SlowDown: 429,
		oauth.UnsupportedResponseType: 400, oauth.InvalidDPoPProof: 400, oauth.UseDPoPNonce: 400,
	}
	byHTTP := map[oauth.Number]int{
		oauth.ErrNotFound: 404, oauth.ErrWrongMethod: 405, oauth.ErrBodyTooLarge: 413, oauth.ErrWrongContentType: 415,
	}
	for _, e := range oauth.Catalogue() {
		if e.Number/1000 == 41 {
			continue // an API's
		}
		want, ok := byHTTP[e.Number]
		if !ok {
			if want, ok = byCode[e.Code]; !ok {
				t.Errorf("%d: the code %s has no status", e.Number, e.Code)
			}
		}
		got := statusOf(e.Number)
		if got != want {
			t.Errorf("%d (%s): status %d; want %d", e.Number, e.Code, got, want)
		}
		if (retryAfter(e.Number) != "") != (got == http.StatusServiceUnavailable || got == http.StatusTooManyRequests) {
			t.Errorf("%d: Retry-After = %q with status %d", e.Number, retryAfter(e.Number), got)
		}
		if description(e.Text) != strings.ReplaceAll(e.Text, `"`, "'") {
			t.Errorf("%d: its text has characters that error_description may not have: %s", e.Number, e.Text)
		}
	}
}
