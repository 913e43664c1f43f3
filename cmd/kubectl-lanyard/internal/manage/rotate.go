package manage

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// maxKid is more than a key id of Lanyard's has, in bytes.
const maxKid = 64

// NewRotate makes the command rotate.
func NewRotate(s *cli.Session) *cobra.Command {
	c := &cobra.Command{
		Use:   "rotate",
		Short: "Rotate what is rotated by schedule, now",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(newRotateKeys(s))
	return c
}

// rotator is rotate keys.
type rotator struct {
	session *cli.Session
	dryRun  cli.DryRun
	secret  string
	drop    string
}

func newRotateKeys(s *cli.Session) *cobra.Command {
	o := &rotator{session: s}
	c := &cobra.Command{
		Use:   "keys",
		Short: "Have the next signing key made now, or drop a compromised one",
		Long: "Have Lanyard's controller make and publish the next signing key now. It signs 15 minutes later,\n" +
			"when every verifier knows it; no request fails, and no token.\n\n" +
			"With --drop, a key leaves the published keys at once: what it signed is worth nothing from then\n" +
			"on at introspection, and at an API as soon as it fetches the keys again.\n\n" +
			"Who may patch the Secret with the keys may also read it, so this is for cluster administrators.\n" +
			"The keys themselves never come to this machine.",
		Example: "  kubectl lanyard rotate keys\n" +
			"  kubectl lanyard rotate keys --drop current      # the one that signs has leaked",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := o.dryRun.Check(c); err != nil {
				return err
			}
			if c.Flags().Changed("drop") && !plausible(o.drop) {
				return cli.Usage(c, fmt.Errorf("--drop %q is no key id; write current for the key that signs, or the kid that stands in a token's header (kubectl lanyard inspect shows it)", o.drop))
			}
			return o.run(c.Context())
		},
	}
	c.Flags().StringVar(&o.drop, "drop", "", "the kid of a compromised key, or current for the one that signs: drop it at once")
	c.Flags().StringVar(&o.secret, "secret", cli.SigningKeySecret, "the Secret with the keys (--signing-key-secret of controller and issuer)")
	o.dryRun.AddFlag(c)
	return c
}

// plausible says whether a kid can be one: Lanyard's are thumbprints (RFC 7638).
func plausible(kid string) bool {
	return kid != "" && len(kid) <= maxKid && !strings.ContainsFunc(kid, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func (o *rotator) run(ctx context.Context) error {
	c, err := o.session.Client()
	if err != nil {
		return err
	}
	name, value := v1alpha1.AnnotationRotate, o.session.Now().UTC().Format(time.RFC3339)
	if o.drop != "" {
		name, value = v1alpha1.AnnotationDropKey, o.drop
	}
	before, err := o.events(ctx, c)
	if err != nil && !apierrors.IsForbidden(err) {
		return err
	}
	if !o.dryRun.Client() {
		if err := o.annotate(ctx, c, name, value); err != nil {
			return err
		}
	}
	asked, means := o.sentences()
	if o.dryRun.Any() || o.drop == "" {
		fmt.Fprintln(o.session.Out, asked+" "+means)
		means = ""
	} else {
		fmt.Fprintln(o.session.Out, asked) // what it means is true only if there is such a key
	}
	if o.dryRun.Any() {
		return nil
	}
	return o.follow(ctx, c, name, before, means)
}

// metadata is the Secret without what is in it: the API server answers with its metadata
// alone.
func (o *rotator) metadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: o.session.LanyardNamespace, Name: o.secret}}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	return m
}

func (o *rotator) annotate(ctx context.Context, c client.Client, name, value string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{name: value}}})
	if err != nil {
		return err
	}
	err = c.Patch(ctx, o.metadata(), client.RawPatch(types.MergePatchType, patch), o.dryRun.Patch()...)
	if apierrors.IsNotFound(err) {
		return fmt.Errorf("there is no Secret %s in namespace %s: either Lanyard runs elsewhere (--lanyard-namespace), or its controller has not made a key yet", o.secret, o.session.LanyardNamespace)
	}
	return err
}

// sentences say what was asked for, and what it means.
func (o *rotator) sentences() (asked, means string) {
	if o.drop == "" {
		return "asked for the next signing key" + o.dryRun.Note() + ".", "It is published at once and signs 15 minutes later; the old one stays published until its last token has ended. Nothing fails."
	}
	which := "signing key " + o.drop
	if o.drop == "current" {
		which = "the key that signs"
	}
	return "asked to drop " + which + o.dryRun.Note() + ".", "The dropped key leaves the published keys at once, and another one signs. " +
		"APIs refuse its tokens once they fetch the keys again: within 5 minutes for package verifier, or when they are restarted."
}

// events are those about the Secret.
func (o *rotator) events(ctx context.Context, c client.Client) ([]eventsv1.Event, error) {
	var list eventsv1.EventList
	err := c.List(ctx, &list, client.InNamespace(o.session.LanyardNamespace), client.MatchingFields{"regarding.name": o.secret})
	return list.Items, err
}

// follow waits until the controller has taken the annotation off, which it does in the
// write that carries the command out, and tells what it did, and then what that means.
func (o *rotator) follow(ctx context.Context, c client.Client, annotation string, before []eventsv1.Event, means string) error {
	how := fmt.Sprintf("kubectl -n %s get events --field-selector involvedObject.name=%s", o.session.LanyardNamespace, o.secret)
	var done progress
	var carried, newest time.Time
	_, err := o.session.Await(ctx, 2*cli.AwaitPatience, "Lanyard's controller to carry it out", func(ctx context.Context) (bool, error) {
		m := o.metadata()
		if err := c.Get(ctx, client.ObjectKeyFromObject(m), m); err != nil {
			return false, err
		}
		now, err := o.events(ctx, c)
		if err != nil {
			return false, err
		}
		told, at := len(done.events), o.session.Now()
		_, waits := m.Annotations[annotation]
		done = progressOf(waits, before, now)
		if done.carried && carried.IsZero() {
			carried = at
		}
		if len(done.events) > told {
			newest = at
		}
		// An event comes after what it tells of, and the second after the first.
		complete := len(done.events) > 0 && at.Sub(newest) >= eventPause
		return done.refused || done.carried && (complete || at.Sub(carried) > eventPatience), nil
	})
	if apierrors.IsForbidden(err) {
		fmt.Fprintf(o.session.Err, "note: you may not see whether it was carried out. See: %s\n", how)
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range done.events {
		if err := cli.Say(o.session.Out, "%s: %s", e.Reason, e.Note); err != nil {
			return err
		}
	}
	switch {
	case done.refused:
		return fmt.Errorf("nothing was dropped. Take the command back, or write another: kubectl -n %s annotate secret %s %s-", o.session.LanyardNamespace, o.secret, annotation)
	case !done.carried:
		return fmt.Errorf("it has not been carried out within %s, and will be once a controller runs that can: until then the annotation %s stays on the Secret. See kubectl lanyard check, and: %s", 2*cli.AwaitPatience, annotation, how)
	case len(done.events) == 0:
		fmt.Fprintf(o.session.Out, "It was carried out. What was done: %s\n", how)
	}
	if means != "" {
		fmt.Fprintln(o.session.Out, means)
	}
	return nil
}

const (
	// eventPatience is how long the events of what was done may be late.
	eventPatience = 2 * time.Second
	// eventPause is how long no other event came when all have come.
	eventPause = 500 * time.Millisecond
)

// progress is how far a command is.
type progress struct {
	// carried is whether the controller has carried it out, refused whether it will not.
	carried, refused bool
	// events tell what was done, the oldest first.
	events []eventsv1.Event
}

// eventNotDropped is the reason of the event that says that no key has the given id.
const eventNotDropped = "SigningKeyNotDropped"

// progressOf goes by the annotation, and by the events that were not there before the
// command was given.
func progressOf(waits bool, before, now []eventsv1.Event) progress {
	known := map[string]time.Time{}
	for i := range before {
		known[before[i].Name] = lastOf(&before[i])
	}
	p := progress{carried: !waits}
	for i := range now {
		e := &now[i]
		if last, ok := known[e.Name]; ok && !last.Before(lastOf(e)) {
			continue
		}
		p.events = append(p.events, *e)
		p.refused = p.refused || waits && e.Reason == eventNotDropped
	}
	slices.SortStableFunc(p.events, func(a, b eventsv1.Event) int { return lastOf(&a).Compare(lastOf(&b)) })
	return p
}

// lastOf is when an event was last seen.
func lastOf(e *eventsv1.Event) time.Time {
	if e.Series != nil {
		return e.Series.LastObservedTime.Time
	}
	if !e.EventTime.IsZero() {
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
