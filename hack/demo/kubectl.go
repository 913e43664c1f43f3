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

// kubectl runs kubectl as the cluster's administrator, in the checkout, and returns what it
// wrote to standard output.
func (d *Demo) kubectl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, d.assets.Path("kubectl"), args...)
	cmd.Dir = d.root
	cmd.Env = append(os.Environ(), "KUBECONFIG="+d.cluster.Kubeconfig(), "KUBECACHEDIR="+d.path("kubectl-cache"))
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("kubectl %s: %w\n%s", args[0], err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// typeKubectl shows a kubectl line, runs it, and shows nothing of what it wrote.
func (d *Demo) typeKubectl(ctx context.Context, args ...string) (out string, err error) {
	d.tell.command("kubectl " + shellWords(args))
	err = d.tell.working("kubectl "+args[0], func() (err error) {
		out, err = d.kubectl(ctx, args...)
		return err
	})
	return out, err
}

// showKubectl shows a kubectl line, runs it, and shows what it wrote.
func (d *Demo) showKubectl(ctx context.Context, args ...string) error {
	out, err := d.typeKubectl(ctx, args...)
	if out != "" {
		d.tell.saw(out)
	}
	return err
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
