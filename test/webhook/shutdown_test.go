package webhook

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyard-dev/lanyard/test/testenv"
)

// A rolling update of the controller refuses nobody's object: the API server asks the
// replica that ends until it has heard that it does.
func TestAnswersReviewsThatArriveDuringShutdown(t *testing.T) {
	t.Parallel()
	r := startReplica(t, testenv.ControllerUser, testenv.ControllerGroups(), lasting(t, time.Hour), "--shutdown-delay=15s") // the test takes as long, and others run beside it
	testenv.Eventually(t, r.ready)
	check(t, r.cmd.Process.Signal(os.Interrupt))
	testenv.Eventually(t, func(ctx context.Context) error {
		err := r.ready(ctx)
		if err == nil {
			return errors.New("it is told to stop, and is ready")
		}
		if !strings.Contains(err.Error(), "[-]ending failed") {
			t.Fatalf("/readyz does not say that it stops: %v", err)
		}
		return nil
	})
	c := oauthClient(env.Namespace(t, nil, nil).Name, "late")
	for range 3 { // over a new connection each
		if got := r.review(t.Context(), t, "/judge/declarations", c); !got.Allowed {
			t.Errorf("a review that arrives during shutdown: %+v", got)
		}
	}
}
