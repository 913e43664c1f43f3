package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// group is a block of constants in Go.
type group struct {
	comment   string
	constants []constant
}

type constant struct{ name, value, comment string }

// writeConditions writes a table for each block of constants of a Go file: the value of
// each, and its comment.
func writeConditions(page *strings.Builder, file string) error {
	groups, err := readConstants(file)
	if err != nil {
		return err
	}
	// Comments speak of other constants by their names in Go, which tell a reader of
	// the page nothing.
	var values []string
	for _, g := range groups {
		for _, c := range g.constants {
			values = append(values, c.name, "`"+c.value+"`")
		}
	}
	plain := strings.NewReplacer(values...)

	page.WriteString("\n## Conditions and reasons\n")
	for _, g := range groups {
		fmt.Fprintf(page, "\n%s\n\n| value | what |\n| --- | --- |\n", plain.Replace(prose(g.comment)))
		for _, c := range g.constants {
			comment := strings.TrimLeft(strings.TrimPrefix(c.comment, c.name), ":, ")
			fmt.Fprintf(page, "| `%s` | %s |\n", c.value, plain.Replace(prose(comment)))
		}
	}
	return nil
}

func readConstants(file string) (groups []group, err error) {
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
			c, err := readConstant(spec)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			g.constants = append(g.constants, c)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func readConstant(spec ast.Spec) (constant, error) {
	value, ok := spec.(*ast.ValueSpec)
	if !ok || len(value.Names) != 1 || len(value.Values) != 1 {
		return constant{}, fmt.Errorf("a constant without a name and a value of its own at %d", spec.Pos())
	}
	c := constant{name: value.Names[0].Name, comment: value.Doc.Text() + value.Comment.Text()}
	literal, ok := value.Values[0].(*ast.BasicLit)
	if !ok {
		return constant{}, fmt.Errorf("%s is no literal", c.name)
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return constant{}, fmt.Errorf("%s: %w", c.name, err)
	}
	c.value = text
	return c, nil
}
