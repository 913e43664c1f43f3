package status_test

import (
	"context"
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

// server takes each status with a new resource version, or says err.
type server struct {
	client.SubResourceWriter // panics on any other call
	version                  string
	err                      error
}

func (s *server) Status() client.SubResourceWriter { return s }

func (s *server) Patch(_ context.Context, o client.Object, _ client.Patch, _ ...client.SubResourcePatchOption) error {
	if s.err == nil {
		o.SetResourceVersion(s.version)
	}
	return s.err
}

func TestWriterKnowsWhatTheCacheDoesNotShowYet(t *testing.T) {
	at := func(version string) *v1alpha1.OAuthClient {
		return &v1alpha1.OAuthClient{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "checkout", ResourceVersion: version}}
	}
	conflict := apierrors.NewConflict(schema.GroupResource{}, "checkout", errors.New("changed"))
	for sentence, test := range map[string]struct {
		server   server
		written  bool
		cached   string // version that the cache shows then
		outdated bool
	}{
		"the cache still shows what was written upon": {server{version: "2"}, true, "1", true},
		"the cache shows what was written":            {server{version: "2"}, true, "2", false},
		"the cache shows something newer still":       {server{version: "2"}, true, "3", false},
		"the write changed nothing: no event comes":   {server{version: "1"}, true, "1", false},
		"somebody was faster":                         {server{err: conflict}, false, "1", false},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := status.NewWriter(&test.server)
			if w.Outdated(at("1")) {
				t.Error("outdated before anything was written")
			}
			written, err := w.Write(t.Context(), at("1"), at("1"))
			if written != test.written || err != nil {
				t.Errorf("written %t, %v; want %t", written, err, test.written)
			}
			if got := w.Outdated(at(test.cached)); got != test.outdated {
				t.Errorf("outdated %t; want %t", got, test.outdated)
			}
			w.Forget(client.ObjectKeyFromObject(at("1")))
			if w.Outdated(at("1")) {
				t.Error("outdated although it is forgotten")
			}
		})
	}
}

func TestWriterReturnsWhatFailed(t *testing.T) {
	w := status.NewWriter(&server{err: errors.New("no route")})
	o := &v1alpha1.OAuthClient{}
	if written, err := w.Write(t.Context(), o, o); written || err == nil {
		t.Errorf("written %t, %v", written, err)
	}
}
