package consent

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
)

// attempts is how often somebody else may have written in between.
const attempts = 3

// done is what was written.
type done struct {
	// verb of each of decided: created, changed or unchanged.
	verbs   []string
	decided []*v1alpha1.AppRoleAssignment
}

func (d *done) add(verb string, a *v1alpha1.AppRoleAssignment) {
	a.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("AppRoleAssignment"))
	d.verbs, d.decided = append(d.verbs, verb), append(d.decided, a)
}

// decide makes a wish hold, and tells the person what becomes of it.
func (o *decider) decide(ctx context.Context, w wish) error {
	c, err := o.session.Client()
	if err != nil {
		return err
	}
	var seen observed
	var p plan
	var did done
	for i := range attempts {
		if seen, err = observe(ctx, c, w); err != nil {
			return err
		}
		p = planFor(w, seen.facts, o.session.Now())
		if p.obstacle != "" {
			return fmt.Errorf("not approved: %s", p.obstacle)
		}
		if doubt := stranger(w, seen); doubt != "" && i == 0 {
			_ = cli.Say(o.session.Err, "warning: %s A decision is for whoever has that name, now or later: if it is misspelt, take it back.", doubt) // to a terminal
		}
		did, err = o.write(ctx, c, p)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			break
		}
	}
	if err != nil {
		return err
	}
	for _, note := range p.notes {
		_ = cli.Say(o.session.Err, "note: %s", note) // to a terminal
	}
	if err := o.tell(w, seen, did); err != nil || o.dryRun.Any() {
		return err
	}
	return o.follow(ctx, c, w, seen, did)
}

// write carries out a plan.
func (o *decider) write(ctx context.Context, c client.Client, p plan) (done, error) {
	var did done
	for _, change := range p.change {
		if !o.dryRun.Client() {
			lock := client.MergeFromWithOptions(change.before, client.MergeFromWithOptimisticLock{})
			if err := c.Patch(ctx, change.after, lock, o.dryRun.Patch()...); err != nil {
				return did, err
			}
		}
		did.add("changed", change.after)
	}
	if p.create != nil {
		if !o.dryRun.Client() {
			if err := c.Create(ctx, p.create, o.dryRun.Create()...); err != nil {
				return did, err
			}
		}
		did.add("created", p.create)
	}
	for _, a := range p.kept {
		did.add("unchanged", a)
	}
	return did, nil
}

// tell prints what was written.
func (o *decider) tell(w wish, seen observed, did done) error {
	if o.output.Format == "json" || o.output.Format == "yaml" {
		return o.session.Print(o.output, printable(did.decided), nil)
	}
	for i, a := range did.decided {
		fmt.Fprintf(o.session.Out, "approleassignment.lanyard.dev/%s %s%s\n", a.Name, did.verbs[i], o.dryRun.Note())
	}
	return cli.Say(o.session.Out, "%s", sentence(w, seen.role, lasting(did.decided), o.session.Now()))
}

// printable is one object, or a List as kubectl has it.
func printable(decided []*v1alpha1.AppRoleAssignment) any {
	for _, a := range decided {
		a.ManagedFields = nil // as kubectl does
	}
	if len(decided) == 1 {
		return decided[0]
	}
	return struct {
		metav1.TypeMeta `json:",inline"`

		Items []*v1alpha1.AppRoleAssignment `json:"items"`
	}{metav1.TypeMeta{APIVersion: "v1", Kind: "List"}, decided}
}

// follow waits for the status, and says how the client stands.
func (o *decider) follow(ctx context.Context, c client.Client, w wish, seen observed, did done) error {
	if o.output.Format == "json" || o.output.Format == "yaml" {
		return nil
	}
	var now standing
	_, err := o.session.Await(ctx, cli.AwaitPatience, "Lanyard's controller to take up the decision", func(ctx context.Context) (bool, error) {
		var reads []func(context.Context) error
		for _, a := range did.decided {
			reads = append(reads, func(ctx context.Context) error { return c.Get(ctx, client.ObjectKeyFromObject(a), a) })
		}
		if seen.client != nil {
			reads = append(reads, func(ctx context.Context) error { return c.Get(ctx, w.client, seen.client) })
		}
		if err := cli.Together(ctx, reads...); err != nil {
			return false, err
		}
		now = standingOf(w, seen.client, did.decided)
		return now.settled, nil
	})
	if err != nil {
		return err
	}
	switch {
	case now.good && now.settled:
		return cli.Say(o.session.Out, "%s", o.session.Paint(cli.Good, now.text))
	case now.settled:
		return cli.Say(o.session.Out, "%s", o.session.Paint(cli.Warn, now.text))
	default:
		text := fmt.Sprintf("the decision is written, and Lanyard's controller has not taken it up within %s; see kubectl lanyard check", cli.AwaitPatience)
		if now.text != "" {
			text += ". Until now, " + now.text
		}
		return cli.Say(o.session.Err, "note: %s", text)
	}
}

// near are the clients that wait for a role, for completion.
func near(roles []v1alpha1.AppRole) []string {
	var names []string
	for i := range roles {
		for _, p := range roles[i].Status.Pending {
			names = append(names, p.Namespace+"/"+p.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
