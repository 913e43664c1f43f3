package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/lanyard-dev/lanyard/controllers/index"
)

// The API server waits for as long as config/webhook says, and then tells that nobody
// answered. These are shorter, so that people read why instead.
const (
	declarationsPatience = 4 * time.Second
	warningsPatience     = 700 * time.Millisecond
)

// handlers are what the webhooks share.
type handlers struct {
	// find reads the cache, and live the API server.
	find, live index.Finder
	scheme     *runtime.Scheme
	issuers    []string
	now        func() time.Time

	guard   *Guard
	warning seats
}

// errCaches is what a replica says that has just started.
var errCaches = errors.New("lanyard-controller has just started and does not know the cluster yet; try again in a moment")

// decode reads an object of an admission review, of one of the five kinds. Its namespace
// is the request's, which the object need not repeat.
func (h *handlers) decode(req admission.Request, raw runtime.RawExtension) (client.Object, error) {
	object, err := h.scheme.New(schema.GroupVersionKind(req.Kind))
	if err != nil {
		return nil, err
	}
	o, ok := object.(client.Object)
	if !ok {
		return nil, fmt.Errorf("a %s is no object", req.Kind.Kind)
	}
	if err := kjson.Unmarshal(raw.Raw, o); err != nil {
		return nil, fmt.Errorf("the %s cannot be read: %w", req.Kind.Kind, err)
	}
	o.SetNamespace(req.Namespace)
	return o, nil
}

// unable is the answer where it could not tell: a refusal that says to try again.
func unable(ctx context.Context, err error) admission.Response {
	logf.FromContext(ctx).Error(err, "an admission review could not be answered")
	if !errors.Is(err, errCaches) && !errors.Is(err, errBusy) {
		err = fmt.Errorf("lanyard-controller could not tell whether it may be: %w; try again", err)
	}
	return admission.Errored(http.StatusServiceUnavailable, err)
}
