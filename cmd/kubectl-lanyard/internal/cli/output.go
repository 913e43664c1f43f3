package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"
	"sigs.k8s.io/yaml"
)

// Output is the flag -o.
type Output struct {
	Format string
}

var formats = []string{"wide", "json", "yaml"}

// AddFlag adds -o to c.
func (o *Output) AddFlag(c *cobra.Command) {
	c.Flags().StringVarP(&o.Format, "output", "o", "", "how to print: "+strings.Join(formats, ", "))
	// The name of the flag is right.
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}

// Wide says whether the text may be wide.
func (o Output) Wide() bool { return o.Format == "wide" }

// Check says whether the format is one.
func (o Output) Check(c *cobra.Command) error {
	if o.Format == "" || slices.Contains(formats, o.Format) {
		return nil
	}
	return Usage(c, fmt.Errorf("--output=%s: must be %s, or left out", o.Format, strings.Join(formats, ", ")))
}

// Print writes value as JSON or YAML, or calls text.
func (s *Session) Print(o Output, value any, text func(io.Writer) error) error {
	var data []byte
	var err error
	switch o.Format {
	case "json":
		if data, err = json.MarshalIndent(value, "", "    "); err == nil {
			data = append(data, '\n')
		}
	case "yaml":
		data, err = yaml.Marshal(value)
	default:
		return text(s.Out)
	}
	if err != nil {
		return err
	}
	_, err = s.data.Write(data)
	return err
}

// Table is text in columns, as kubectl prints it.
type Table struct {
	rows [][]string
}

// NewTable begins a table; no headers, no line for them.
func NewTable(headers ...string) *Table {
	t := &Table{}
	if len(headers) > 0 {
		t.Row(headers...)
	}
	return t
}

// Row adds a line, and one only: see [OneLine].
func (t *Table) Row(cells ...string) {
	row := make([]string, len(cells))
	for i, cell := range cells {
		row[i] = OneLine(cell)
	}
	t.rows = append(t.rows, row)
}

// Write writes the table, each line after indent.
func (t *Table) Write(w io.Writer, indent string) error {
	tabs := printers.GetNewTabWriter(w)
	for _, row := range t.rows {
		if _, err := fmt.Fprintln(tabs, indent+strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return tabs.Flush()
}
