// Command commands writes the reference of kubectl lanyard: what --help says of each
// command, on one page. Its argument is the page.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

const head = `# kubectl lanyard

A kubectl plugin: put ` + "`kubectl-lanyard`" + ` on the ` + "`PATH`" + ` (` + "`make build`" + ` writes it to ` + "`bin/`" + `), and kubectl runs it as
` + "`kubectl lanyard`" + `. It takes kubectl's own flags, acts with the permissions of whoever types, and keeps nothing. What each
command needs: [roles for people](../operations/consent.md#who-may-do-that).

Exit codes: 0, it was done; 1, it could not be done, or the answer is no; 2, it was typed wrongly. ` + "`-o json`" + ` and ` + "`-o yaml`" + ` are for
programs. Colours are for terminals, and never with ` + "`--no-color`" + ` or ` + "`$NO_COLOR`" + `.

Written by ` + "`make generate`" + ` from what ` + "`--help`" + ` says.
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "commands:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: commands <page>")
	}
	dir, err := os.MkdirTemp("", "kubectl-lanyard-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder of the system's, which cleans up, too
	p := page{binary: filepath.Join(dir, "kubectl-lanyard")}
	if out, err := exec.Command("go", "build", "-o", p.binary, "./cmd/kubectl-lanyard").CombinedOutput(); err != nil {
		return fmt.Errorf("building kubectl-lanyard: %w\n%s", err, out)
	}
	p.text.WriteString(head)
	if err := p.write(); err != nil {
		return err
	}
	return os.WriteFile(args[0], []byte(p.text.String()), 0o644)
}

// page is the reference as far as it is written.
type page struct {
	binary string
	text   strings.Builder
}

var (
	// subcommand is a line of the help that names one.
	subcommand = regexp.MustCompile(`(?m)^  ([a-z]+)  +\S`)
	// global are the flags that every command takes, told once.
	global = regexp.MustCompile(`(?s)\n\nGlobal Flags:\n.*`)
)

// write writes the command with these words after kubectl lanyard, and those below it.
func (p *page) write(words ...string) error {
	help, err := exec.Command(p.binary, append(words, "--help")...).Output()
	if err != nil {
		return fmt.Errorf("kubectl lanyard %s --help: %w", strings.Join(words, " "), err)
	}
	title := strings.Join(append([]string{"kubectl lanyard"}, words...), " ")
	told := strings.TrimSpace(global.ReplaceAllString(string(help), ""))
	fmt.Fprintf(&p.text, "\n## %s\n\n```\n%s\n```\n", title, told)
	// Flags look like commands to nobody: their lines begin with a dash.
	for _, m := range subcommand.FindAllStringSubmatch(told, -1) {
		if m[1] == "help" {
			continue
		}
		if err := p.write(append(words, m[1])...); err != nil {
			return err
		}
	}
	return nil
}
