package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// group is a block of constants in Go.
type group struct {
	comment   string
	constants []constant
}

type constant struct{ name, value, comment string }

// section is a part of the page, with the constants whose names begin so.
type section struct {
	heading, intro string
	prefixes       []string
}

func sections() []section {
	return []section{
		{"Conditions and reasons", "", []string{"Condition", "Reason"}},
		{"Events", "Where a condition changes, an event has its reason and its message; a Warning where `Ready` becomes False. Besides:", []string{"Event"}},
		{"Annotations and labels", "", []string{"Annotation", "Label"}},
	}
}

// writeConstants writes a table for each block of constants that a section is about: the
// value of each, and its comment.
func writeConstants(page *strings.Builder, folders []string) error {
	for _, s := range sections() {
		groups, err := s.read(folders)
		if err != nil {
			return err
		}
		fmt.Fprintf(page, "\n## %s\n", s.heading)
		if s.intro != "" {
			fmt.Fprintf(page, "\n%s\n", s.intro)
		}
		plain := withoutNames(groups)
		for _, g := range groups {
			fmt.Fprintf(page, "\n%s\n\n| value | what |\n| --- | --- |\n", plain.Replace(prose(g.comment)))
			for _, c := range g.constants {
				comment := strings.TrimLeft(strings.TrimPrefix(c.comment, c.name), ":, ")
				fmt.Fprintf(page, "| `%s` | %s |\n", c.value, plain.Replace(prose(comment)))
			}
		}
	}
	return nil
}

// withoutNames puts values in the place of names: comments speak of other constants by
// their names in Go, which tell a reader of the page nothing.
func withoutNames(groups []group) *strings.Replacer {
	var all []constant
	for _, g := range groups {
		all = append(all, g.constants...)
	}
	slices.SortStableFunc(all, func(a, b constant) int { return cmp.Compare(len(b.name), len(a.name)) })
	var values []string
	for _, c := range all {
		values = append(values, c.name, "`"+c.value+"`")
	}
	return strings.NewReplacer(values...)
}

// read returns the blocks below the folders that hold constants of the section.
func (s section) read(folders []string) (groups []group, err error) {
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			found, err := s.readFile(path)
			groups = append(groups, found...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return groups, nil
}

func (s section) readFile(file string) (groups []group, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, declaration := range parsed.Decls {
		block, ok := declaration.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		g := group{comment: block.Doc.Text()}
		for _, spec := range block.Specs {
			value, ok := spec.(*ast.ValueSpec)
			if !ok || !slices.ContainsFunc(value.Names, s.has) {
				continue
			}
			c, err := readConstant(value)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			g.constants = append(g.constants, c)
		}
		if len(g.constants) > 0 {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

// has says whether the section is about a constant of that name.
func (s section) has(name *ast.Ident) bool {
	return slices.ContainsFunc(s.prefixes, func(prefix string) bool { return strings.HasPrefix(name.Name, prefix) })
}

// readConstant refuses a constant that the page could not tell anything of.
func readConstant(value *ast.ValueSpec) (constant, error) {
	if len(value.Names) != 1 || len(value.Values) != 1 {
		return constant{}, fmt.Errorf("%s needs a line of its own", value.Names[0].Name)
	}
	c := constant{name: value.Names[0].Name, comment: value.Doc.Text() + value.Comment.Text()}
	literal, ok := value.Values[0].(*ast.BasicLit)
	if !ok || c.comment == "" {
		return constant{}, fmt.Errorf("%s must be a literal with a comment, in a block with a comment: the reference of the kinds tells all three", c.name)
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return constant{}, fmt.Errorf("%s: %w", c.name, err)
	}
	c.value = text
	return c, nil
}
