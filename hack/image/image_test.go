package image

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// build compiles a program as hack/build.sh does.
func build(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	for file, text := range map[string]string{"go.mod": "module example.com/" + name + "\n\ngo 1.26\n", "main.go": hello} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(dir, name)
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOOS=linux", "CGO_ENABLED=0")
	if message, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, message)
	}
	return out
}

const hello = "package main\n\nfunc main() { println(\"hello\") }\n"

// files reads an archive.
func files(t *testing.T, archive io.Reader) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	for reader := tar.NewReader(archive); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(time.Unix(0, 0)) || header.Uid != 0 || header.Gid != 0 {
			t.Errorf("%s: of %v, of user %d and group %d; want 1970 and root", header.Name, header.ModTime, header.Uid, header.Gid)
		}
		if found[header.Name], err = io.ReadAll(reader); err != nil {
			t.Fatal(err)
		}
	}
}

// decode reads a JSON file of an archive.
func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var value T
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return value
}

func TestAnImageIsWhatItsFilesAre(t *testing.T) {
	program := build(t, "hello")
	want, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	labels := map[string]string{"org.opencontainers.image.title": "Hello"}
	if err := Write(&archive, "hello:1", map[string]string{"/hello": program}, Options{Entrypoint: []string{"/hello"}, Labels: labels}); err != nil {
		t.Fatal(err)
	}
	found := files(t, &archive)

	index := decode[struct{ Manifests []descriptor }](t, found["index.json"])
	if len(index.Manifests) != 1 || index.Manifests[0].Annotations["io.containerd.image.name"] != library+"/hello:1" || index.Manifests[0].Platform.OS != "linux" {
		t.Fatalf("index.json: %+v", index)
	}
	manifest := decode[struct {
		Config descriptor
		Layers []descriptor
	}](t, blob(t, found, index.Manifests[0]))
	config := decode[struct {
		Architecture string
		OS           string
		Config       containerConfig
		RootFS       struct {
			DiffIDs []string `json:"diff_ids"`
		}
	}](t, blob(t, found, manifest.Config))
	if diff := cmp.Diff(containerConfig{User: "65532:65532", Entrypoint: []string{"/hello"}, WorkingDir: "/", Labels: labels}, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{manifest.Layers[0].Digest}, config.RootFS.DiffIDs); diff != "" {
		t.Errorf("layers (-manifest +configuration):\n%s", diff)
	}
	layer := files(t, bytes.NewReader(blob(t, found, manifest.Layers[0])))
	if diff := cmp.Diff(map[string]int{"hello": len(want)}, lengths(layer)); diff != "" || !bytes.Equal(layer["hello"], want) {
		t.Errorf("the image holds other files than it was given (-want +got):\n%s", diff)
	}
	saved := decode[[]struct {
		Config   string
		RepoTags []string
		Layers   []string
	}](t, found["manifest.json"])
	if len(saved) != 1 || found[saved[0].Config] == nil || found[saved[0].Layers[0]] == nil {
		t.Errorf("docker load would not find its files: %+v", saved)
	}
}

// blob returns what a descriptor points at, if it is that.
func blob(t *testing.T, found map[string][]byte, d descriptor) []byte {
	t.Helper()
	data := found["blobs/"+strings.Replace(d.Digest, ":", "/", 1)]
	if digestOf(data) != d.Digest || int64(len(data)) != d.Size {
		t.Fatalf("the blob of %+v is another", d)
	}
	return data
}

func lengths(files map[string][]byte) map[string]int {
	found := map[string]int{}
	for name, data := range files {
		found[name] = len(data)
	}
	return found
}

func TestTheSameProgramsGiveTheSameBytes(t *testing.T) {
	var archives, bills [2]bytes.Buffer
	for i := range archives {
		programs := map[string]string{"/b": build(t, "b"), "/a": build(t, "a")} // built anew each time
		options := Options{Labels: Labels()}
		if err := Write(&archives[i], "lanyard:dev", programs, options); err != nil {
			t.Fatal(err)
		}
		if err := SBOM(&bills[i], "lanyard:dev", programs); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(archives[0].Bytes(), archives[1].Bytes()) {
		t.Error("two archives of the same programs differ")
	}
	if diff := cmp.Diff(bills[0].String(), bills[1].String()); diff != "" {
		t.Errorf("two bills of the same programs differ:\n%s", diff)
	}
}

func TestRefusesWhatWouldNotRunInAnImage(t *testing.T) {
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	program := build(t, "hello")
	for name, test := range map[string]struct {
		binaries map[string]string
		want     string
	}{
		"a script, in an image without a shell": {map[string]string{"/script": script}, "is no Linux program"},
		"a program that needs a loader":         {map[string]string{"/sh": "/bin/sh"}, "CGO_ENABLED=0"},
		"a file below a folder":                 {map[string]string{"/bin/hello": program}, "root folder"},
		"a file outside":                        {map[string]string{"/../..": program}, "root folder"},
		"what is not there":                     {map[string]string{"/hello": program + "-not"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Write(io.Discard, "x", test.binaries, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v; want %q", err, test.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]string{
		"lanyard":                       library + "/lanyard:latest",
		"lanyard:dev":                   library + "/lanyard:dev",
		"local/pause:1":                 strings.TrimSuffix(library, "library") + "local/pause:1",
		"registry.example/team/app:1.0": "registry.example/team/app:1.0",
		"localhost/app:1":               "localhost/app:1",
		"registry.example:5000/app":     "registry.example:5000/app:latest",
	} {
		if got := qualified(name); got != want {
			t.Errorf("qualified(%q) = %q; want %q", name, got, want)
		}
	}
}

// TestTheDockerfileMakesTheSameImage holds the two ways of making the image together.
func TestTheDockerfileMakesTheSameImage(t *testing.T) {
	data, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, final, found := strings.Cut(string(data), "\nFROM scratch\n")
	if !found || strings.Contains(final, "FROM ") {
		t.Fatal("the last stage is not FROM scratch")
	}
	if !strings.Contains(final, "\nUSER "+User+"\n") {
		t.Errorf("the Dockerfile does not say USER %s", User)
	}
	for key, value := range Labels() {
		if !strings.Contains(final, fmt.Sprintf("%s=%q", key, value)) {
			t.Errorf("the Dockerfile does not have the label %s=%q", key, value)
		}
	}
	script, err := os.ReadFile("../build.sh")
	if err != nil {
		t.Fatal(err)
	}
	// What makes the programs static, stripped, and the same wherever they are built.
	for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w"} {
		if !strings.Contains(string(script), want) {
			t.Errorf("hack/build.sh does not build with %s", want)
		}
	}
}

func TestProgramsAreStripped(t *testing.T) {
	program, err := elf.Open(build(t, "hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	for _, section := range []string{".symtab", ".debug_info", ".zdebug_info", ".interp"} {
		if program.Section(section) != nil {
			t.Errorf("there is a section %s", section)
		}
	}
}
