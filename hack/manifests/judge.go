package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// judge asks an API server whether it would take an object.
type judge struct {
	client   client.Client
	warnings *warnings
}

func newJudge(config *rest.Config) (*judge, error) {
	heard := &warnings{}
	config = rest.CopyConfig(config)
	config.QPS = -1 // the server is ours
	config.WarningHandlerWithContext = heard
	c, err := client.New(config, client.Options{})
	return &judge{client: c, warnings: heard}, err
}

// all judges the objects of a manifest, and says how many there are.
func (j *judge) all(ctx context.Context, name string, text []byte) error {
	objects, err := split(text)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	var refused []error
	for _, o := range objects {
		if err := j.one(ctx, &unstructured.Unstructured{Object: o}); err != nil {
			refused = append(refused, fmt.Errorf("%v %v: %w", o["kind"], o["metadata"].(map[string]any)["name"], err))
		}
	}
	if len(refused) > 0 {
		return fmt.Errorf("%s would be refused:\n%w", name, errors.Join(refused...))
	}
	fmt.Printf("%s: the API server would take its %d objects\n", name, len(objects))
	return nil
}

// one judges one object: the server does all that it does when one is applied, but keep it.
func (j *judge) one(ctx context.Context, o *unstructured.Unstructured) error {
	if o.GroupVersionKind().Group == "monitoring.coreos.com" {
		return nil // check-monitoring's
	}
	if namespace := o.GetNamespace(); namespace != "" {
		if err := j.namespace(ctx, namespace); err != nil {
			return err
		}
	}
	text, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	err = j.client.Patch(ctx, o, client.RawPatch(types.ApplyPatchType, text),
		client.FieldOwner("manifests"), client.ForceOwnership, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
	if meta.IsNoMatchError(err) {
		return fmt.Errorf("the API server does not know this kind: %w", err)
	}
	return errors.Join(err, j.warnings.take())
}

// namespace makes a namespace, without which nothing in it can be judged. It holds pods to the
// restricted standard, and has the server warn of Deployments whose pods it would refuse.
func (j *judge) namespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "restricted",
	}}}
	return client.IgnoreAlreadyExists(j.client.Create(ctx, namespace))
}

// warnings keeps what the API server says beside its answer.
type warnings struct {
	mu    sync.Mutex
	heard map[string]bool
}

func (w *warnings) HandleWarningHeaderWithContext(_ context.Context, _ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.heard == nil {
		w.heard = map[string]bool{}
	}
	w.heard[text] = true
}

// take returns what was said since it was last called, as an error.
func (w *warnings) take() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	heard := slices.Sorted(maps.Keys(w.heard))
	w.heard = nil
	if len(heard) == 0 {
		return nil
	}
	return errors.New("the API server warns: " + strings.Join(heard, "; "))
}
