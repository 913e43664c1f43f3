package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/access"
	"github.com/lanyard-dev/lanyard/cmd/kubectl-lanyard/internal/cli"
	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// options are the flags.
type options struct {
	output      cli.Output
	certificate string
	jwks        string
	issuer      access.Flags
}

// New returns the command.
func New(s *cli.Session) *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:   "inspect [TOKEN|FILE|-]...",
		Short: "Show what a token and a certificate say, and whether they would be accepted",
		Long: "inspect decodes a token, a PEM certificate, or both, from arguments, files or standard input. It says\n" +
			"whether they belong together, whether the token would be accepted now and by whom, and what stands\n" +
			"against it. It needs no network; with --jwks or --issuer it checks the signature too.\n" +
			"The exit code is 1 if nobody would accept the token.",
		Example: "  kubectl lanyard token checkout --resource api://orders | kubectl lanyard inspect\n" +
			"  kubectl lanyard inspect --cert tls.crt token.txt\n" +
			"  kubectl lanyard inspect --issuer https://lanyard-issuer.lanyard-system.svc -",
		Args: cobra.MaximumNArgs(2),
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := o.output.Check(c); err != nil {
			return err
		}
		if len(args) == 0 && o.certificate == "" && cli.IsTerminal(s.In) {
			return cli.Usage(c, errors.New("there is nothing to inspect: give a token, a certificate, a file, or - for standard input"))
		}
		return run(c.Context(), s, o, args)
	}
	o.output.AddFlag(c)
	o.issuer.Add(c)
	c.Flags().Lookup("issuer").Usage = "URL of the issuer that must have made the token; its keys are fetched, to check the signature"
	c.Flags().StringVar(&o.certificate, "cert", "", "file with the certificate to be shown with the token, PEM")
	c.Flags().StringVar(&o.jwks, "jwks", "", "file with the issuer's keys (JWKS), to check the signature without network")
	c.MarkFlagsMutuallyExclusive("jwks", "issuer")
	return c
}

func run(ctx context.Context, s *cli.Session, o options, args []string) error {
	m, err := gather(s, o, args)
	if err != nil {
		return err
	}
	f := Facts{Now: s.Now()}
	if f, err = addKeys(ctx, s, o, f); err != nil {
		return err
	}
	r := Inspect(m, f)
	err = s.Print(o.output, r, func(w io.Writer) error { return r.WriteText(w, f.Now, painter(s)) })
	if err == nil && !r.Accepted {
		return cli.ErrNo
	}
	return err
}

func painter(s *cli.Session) Painter {
	return func(l Level, text string) string {
		switch l {
		case OK:
			return s.Paint(cli.Good, text)
		case Stands:
			return s.Paint(cli.Bad, text)
		case Note:
		}
		return s.Paint(cli.Warn, text)
	}
}

// gather reads what was given. No error quotes it: an argument may be most of a token.
func gather(s *cli.Session, o options, args []string) (Material, error) {
	var all Material
	add := func(source string, data []byte, err error) error {
		var m Material
		if err == nil {
			m, err = Read(data)
		}
		if err == nil {
			err = all.merge(m)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
		return nil
	}
	if len(args) == 0 && (o.certificate == "" || !cli.IsTerminal(s.In)) {
		args = []string{"-"}
	}
	stdin := false
	for i, arg := range args {
		source := fmt.Sprintf("argument %d", i+1)
		var err error
		switch {
		case arg == "-" && stdin:
			err = errors.New("standard input was read already; write - once")
		case arg == "-":
			source, stdin = "standard input", true
			var data []byte
			data, err = io.ReadAll(io.LimitReader(s.In, MaxInput+1))
			err = add(source, data, err)
		case looksLikeMaterial(arg):
			err = add(source, []byte(arg), nil)
		default:
			var data []byte
			data, err = readFile(arg)
			err = add(source, data, err)
		}
		if err != nil {
			return Material{}, err
		}
	}
	if o.certificate != "" {
		data, err := readFile(o.certificate)
		if err := add("--cert", data, err); err != nil {
			return Material{}, err
		}
	}
	if all.Token == "" && len(all.Certificates) == 0 {
		if all.PrivateKeys > 0 {
			return Material{}, errors.New("that is a private key, which is not shown: give a token or a certificate. If others may have seen the key, replace it")
		}
		return Material{}, errors.New("there is nothing to inspect: give a token, a PEM certificate, or both")
	}
	return all, nil
}

// looksLikeMaterial says whether an argument is the thing itself and no file's name.
func looksLikeMaterial(arg string) bool {
	return strings.HasPrefix(strings.TrimSpace(arg), "ey") && strings.Count(arg, ".") >= 2 ||
		strings.Contains(arg, begin) || strings.ContainsAny(arg, "{\n ")
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // the person's own file
	if err != nil {
		if os.IsNotExist(err) {
			return nil, errors.New("it is neither a file, nor a token, nor a PEM certificate")
		}
		if wrapped, ok := errors.AsType[*os.PathError](err); ok {
			err = wrapped.Err // without the name, which may be a token
		}
		return nil, fmt.Errorf("it is no file that can be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // nothing is written
	return io.ReadAll(io.LimitReader(f, MaxInput+1))
}

// addKeys adds the issuer's keys, where somebody said where they are.
func addKeys(ctx context.Context, s *cli.Session, o options, f Facts) (Facts, error) {
	switch {
	case o.jwks != "":
		data, err := readFile(o.jwks)
		if err != nil {
			return f, fmt.Errorf("--jwks: %w", err)
		}
		keys, err := jose.ParseJWKS(data)
		if err != nil {
			return f, fmt.Errorf("--jwks: %w", err)
		}
		f.Keys, f.KeysFrom = keys, o.jwks
	case o.issuer.URL != "":
		where, err := o.issuer.Issuer(ctx, s, nil)
		if err != nil {
			return f, err
		}
		answer, err := where.Get(ctx, access.KeysPath)
		if err != nil {
			return f, err
		}
		if answer.Status != http.StatusOK {
			return f, fmt.Errorf("the issuer %s does not show its keys: it answers %d at %s", where.URL, answer.Status, access.KeysPath)
		}
		keys, err := jose.ParseJWKS(answer.Body)
		if err != nil {
			return f, fmt.Errorf("the keys of the issuer %s cannot be read: %w", where.URL, err)
		}
		f.Keys, f.KeysFrom, f.Issuer = keys, where.URL, where.URL
	}
	return f, nil
}
