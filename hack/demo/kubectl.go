package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// The people of the story, beside the administrator.
const (
	alice = "alice" // of the orders team
	bob   = "bob"   // of the shop team
	carol = "carol" // helps the shop team with its clients
)

// groupsOf returns the groups of a person. hack/demo/manifests/people.yaml gives them their roles.
func groupsOf(person string) []string {
	switch person {
	case alice:
		return []string{"orders-team"}
	case bob:
		return []string{"shop-team"}
	default:
		return nil
	}
}

// as is the demo of a person: kubectl acts as that person, and its lines say so.
func (d *Demo) as(person string) *Demo {
	other := *d
	other.person = person
	return &other
}

// makePeople writes a kubeconfig for each of the people.
func (d *Demo) makePeople() error {
	for _, person := range []string{alice, bob, carol} {
		path := d.as(person).kubeconfig()
		if _, err := os.Stat(path); err == nil {
			continue
		}
		if err := d.cluster.UserKubeconfig(path, person, groupsOf(person)...); err != nil {
			return err
		}
	}
	return nil
}

func (d *Demo) kubeconfig() string {
	if d.person == "" {
		return d.cluster.Kubeconfig()
	}
	return d.path(d.person + ".kubeconfig")
}

// kubectlLine is the line to type. What needs no KUBECONFIG=... is done by the administrator.
func (d *Demo) kubectlLine(args []string) string {
	line := "kubectl " + shellWords(args)
	if d.person != "" {
		line = "KUBECONFIG=" + shellWord(d.typed(d.person+".kubeconfig")) + " " + line
	}
	return line
}

// kubectl runs kubectl in the checkout, and returns what it wrote to standard output.
func (d *Demo) kubectl(ctx context.Context, args ...string) (string, error) {
	stdout, stderr, err := d.runKubectl(ctx, args...)
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w\n%s", args[0], err, strings.TrimSpace(stderr))
	}
	return stdout, err
}

func (d *Demo) runKubectl(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	cmd := exec.CommandContext(ctx, d.assets.Path("kubectl"), args...)
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.kubeconfig(), "KUBECACHEDIR="+d.path("kubectl-cache"),
		"PATH="+os.Getenv("PATH")+string(os.PathListSeparator)+d.path("bin")) // kubectl lanyard is kubectl-lanyard there
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// typeKubectl shows a kubectl line, runs it, and shows nothing of what it wrote.
func (d *Demo) typeKubectl(ctx context.Context, args ...string) (out string, err error) {
	d.tell.command(d.kubectlLine(args))
	err = d.tell.working("kubectl "+args[0], func() (err error) {
		out, err = d.kubectl(ctx, args...)
		return err
	})
	return out, err
}

// showKubectl shows a kubectl line, runs it, and shows what it wrote.
func (d *Demo) showKubectl(ctx context.Context, args ...string) error {
	_, err := d.seeKubectl(ctx, args...)
	return err
}

// seeKubectl is showKubectl, and returns what was seen, warnings and errors included.
func (d *Demo) seeKubectl(ctx context.Context, args ...string) (seen string, err error) {
	d.tell.command(d.kubectlLine(args))
	err = d.tell.working("kubectl "+args[0], func() error {
		stdout, stderr, err := d.runKubectl(ctx, args...)
		seen = stderr + stdout
		return err
	})
	if seen != "" {
		d.tell.saw(seen)
	}
	if err != nil {
		err = fmt.Errorf("kubectl %s: %w", args[0], err)
	}
	return seen, err
}

// refusedKubectl shows a kubectl line that must be refused, and with what words.
func (d *Demo) refusedKubectl(ctx context.Context, words string, args ...string) error {
	seen, err := d.seeKubectl(ctx, args...)
	switch {
	case err == nil:
		return errors.New("it was not refused")
	case !strings.Contains(seen, words):
		return fmt.Errorf("%w, without the words %q", err, words)
	default:
		return nil
	}
}

// showAll is showKubectl for several lines. All are run: where waiting fails, the next line
// shows how things stand.
func (d *Demo) showAll(ctx context.Context, lines ...[]string) error {
	var failed error
	for _, args := range lines {
		failed = errors.Join(failed, d.showKubectl(ctx, args...))
	}
	return failed
}

// shellWords quotes what the shell would not take as it is.
func shellWords(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		quoted[i] = shellWord(arg)
	}
	return strings.Join(quoted, " ")
}

func shellWord(text string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=./:,@%+"
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
