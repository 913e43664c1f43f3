// Command image writes the container image of Lanyard's programs as an archive, and its bill of
// materials beside it, without a container engine.
package main

import (
	"debug/buildinfo"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lanyard-dev/lanyard/hack/image"
)

const usage = `image writes a container image of static binaries.

Usage:
  image --name lanyard:dev [--out FILE] [--bill FILE] FOLDER

Every file of FOLDER is a program of the image, in its root folder. --out writes the image, as an
archive that docker load, podman load, ctr images import and skopeo take; --bill writes its bill
of materials (CycloneDX JSON), also of an image that an engine made of these programs.
`

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { fmt.Fprint(stderr, usage) }
	name := flags.String("name", "lanyard:dev", "name of the image")
	out := flags.String("out", "", "path of the archive; empty: none is written")
	bill := flags.String("bill", "", "path of the bill of materials; empty: none is written")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *out == "" && *bill == "" || flags.NArg() != 1 {
		return errors.New("give --out FILE or --bill FILE, or both, and the folder of the programs; image --help says more")
	}
	binaries, err := programs(flags.Arg(0))
	if err != nil {
		return err
	}
	if *out != "" {
		labels, err := labelsOf(binaries)
		if err != nil {
			return err
		}
		err = write(*out, func(w io.Writer) error { return image.Write(w, *name, binaries, image.Options{Labels: labels}) })
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: the image %s, of %d programs\n", *out, *name, len(binaries))
	}
	if *bill != "" {
		if err := write(*bill, func(w io.Writer) error { return image.SBOM(w, *name, binaries) }); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: the bill of materials of %s (CycloneDX 1.6)\n", *bill, *name)
	}
	return nil
}

// programs are the files of a folder, by their paths in the image.
func programs(folder string) (map[string]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	binaries := map[string]string{}
	for _, entry := range entries {
		binaries["/"+entry.Name()] = filepath.Join(folder, entry.Name())
	}
	if len(binaries) == 0 {
		return nil, fmt.Errorf("%s holds no programs: hack/build.sh %s builds them", folder, folder)
	}
	return binaries, nil
}

// labelsOf says what the image is, in the words of the OCI image specification. The Dockerfile
// says the same, except what only a build knows.
func labelsOf(binaries map[string]string) (map[string]string, error) {
	labels := image.Labels()
	for _, file := range binaries {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if version := image.Version(&info.Main); version != "" {
			labels["org.opencontainers.image.version"] = version
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				labels["org.opencontainers.image.revision"] = setting.Value
			}
		}
	}
	return labels, nil
}

// write writes a file by another name first: what has its final name is whole.
func write(path string, fill func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".image-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(draft.Name()) }() // gone already after the rename
	if err := errors.Join(fill(draft), draft.Chmod(0o644), draft.Close()); err != nil {
		return err
	}
	return os.Rename(draft.Name(), path)
}
