package cli_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// Whichever of two reads fails first in time, a person is told the same.
func TestTogetherTellsTheFirstInOrder(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	failed := make(chan struct{})
	err := cli.Together(t.Context(),
		func(context.Context) error { return nil },
		func(context.Context) error { <-failed; return first },
		func(context.Context) error { defer close(failed); return second },
	)
	if !errors.Is(err, first) {
		t.Errorf("Together = %v, want %v", err, first)
	}
}

func TestGetSaysThatLanyardIsNotInstalled(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler()) // as kube-apiserver answers for a group that it does not know
	defer server.Close()
	s, _ := session(t)
	s.Flags.APIServer = &server.URL
	c, err := s.Client()
	if err != nil {
		t.Fatal(err)
	}
	err = cli.Get(t.Context(), c, "OAuthClient", types.NamespacedName{Namespace: "shop", Name: "checkout"}, &v1alpha1.OAuthClient{})
	if err == nil || !strings.Contains(cli.Sentence(err), "Lanyard is not installed") {
		t.Errorf("it says %q", cli.Sentence(err))
	}
}

func TestAwait(t *testing.T) {
	s, _ := session(t)
	broken := errors.New("broken")
	tests := map[string]struct {
		done func(context.Context) (bool, error)
		ok   bool
		err  error
	}{
		"yes":       {func(context.Context) (bool, error) { return true, nil }, true, nil},
		"never":     {func(context.Context) (bool, error) { return false, nil }, false, nil},
		"an error":  {func(context.Context) (bool, error) { return false, broken }, false, broken},
		"time's up": {func(ctx context.Context) (bool, error) { <-ctx.Done(); return false, ctx.Err() }, false, nil},
	}
	for sentence, test := range tests {
		t.Run(sentence, func(t *testing.T) {
			ok, err := s.Await(t.Context(), 100*time.Millisecond, "nothing", test.done)
			if ok != test.ok || !errors.Is(err, test.err) {
				t.Errorf("Await = %t, %v; want %t, %v", ok, err, test.ok, test.err)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Await(ctx, time.Minute, "nothing", tests["never"].done); !errors.Is(err, context.Canceled) {
			t.Errorf("Await = %v, want that it was interrupted", err)
		}
	})
}
