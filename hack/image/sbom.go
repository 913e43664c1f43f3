package image

import (
	"cmp"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"
)

// The parts of a bill of materials, as CycloneDX 1.6 names them.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version,omitempty"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Algorithm string `json:"alg"`
		Content   string `json:"content"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// SBOM writes the bill of materials of the image of that name, as CycloneDX 1.6 JSON: its
// binaries with their SHA-256, and of each the Go modules and the standard library that the
// linker says went into it. What is not in a program is not in the bill, whatever go.mod says.
//
// It holds no time and no random number: the same binaries give the same bytes.
func SBOM(w io.Writer, name string, binaries map[string]string) error {
	top := component{Type: "container", Ref: "image", Name: name}
	if repository, tag, tagged := cutTag(name); tagged {
		top.Name, top.Version = repository, tag
	}
	image := dependency{Ref: top.Ref}
	bill := bom{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{top}}
	modules := map[string]component{}
	for _, inImage := range slices.Sorted(maps.Keys(binaries)) {
		program, needs, err := billOf(inImage, binaries[inImage])
		if err != nil {
			return err
		}
		bill.Components = append(bill.Components, program)
		image.DependsOn = append(image.DependsOn, program.Ref)
		needed := dependency{Ref: program.Ref}
		for _, module := range needs {
			modules[module.Ref] = module
			needed.DependsOn = append(needed.DependsOn, module.Ref)
		}
		bill.Dependencies = append(bill.Dependencies, needed)
	}
	bill.Dependencies = append([]dependency{image}, bill.Dependencies...)
	for _, ref := range slices.Sorted(maps.Keys(modules)) {
		bill.Components = append(bill.Components, modules[ref])
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(bill)
}

// billOf returns a program, and the modules that are in it.
func billOf(inImage, file string) (program component, modules []component, err error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return component{}, nil, fmt.Errorf("image: what went into %s: %w", file, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return component{}, nil, err
	}
	sum := sha256.Sum256(data)
	program = component{
		Type: "application", Ref: "program:" + inImage, Name: path.Base(inImage), Version: Version(&info.Main),
		Hashes:     []hash{{"SHA-256", hex.EncodeToString(sum[:])}},
		Properties: []property{{"lanyard:path", inImage}, {"lanyard:package", info.Path}},
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" || setting.Key == "CGO_ENABLED" || setting.Key == "GOARCH" {
			program.Properties = append(program.Properties, property{"lanyard:build:" + setting.Key, setting.Value})
		}
	}
	// Scanners look for the standard library under this name, with the number of the release.
	standard := &debug.Module{Path: "stdlib", Version: strings.TrimPrefix(info.GoVersion, "go")}
	for _, module := range append([]*debug.Module{standard, &info.Main}, info.Deps...) {
		modules = append(modules, moduleComponent(module))
	}
	slices.SortFunc(modules, func(a, b component) int { return cmp.Compare(a.Ref, b.Ref) })
	return program, modules, nil
}

func moduleComponent(module *debug.Module) component {
	if module.Replace != nil {
		module = module.Replace
	}
	purl := "pkg:golang/" + strings.ToLower(module.Path) // as the type golang of package URLs wants it
	if version := Version(module); version != "" {
		purl += "@" + url.QueryEscape(version)
	}
	c := component{Type: "library", Ref: purl, Name: module.Path, Version: Version(module), PURL: purl}
	if module.Sum != "" {
		c.Properties = []property{{"lanyard:go.sum", module.Sum}}
	}
	return c
}

// Version is that of a module, empty if it was built from a checkout that git says nothing of.
func Version(module *debug.Module) string {
	if module.Version == "(devel)" {
		return ""
	}
	return module.Version
}
