package cli

import (
	"fmt"
	"slices"
	"strings"
)

// maxNear is how many names somebody may have meant.
const maxNear = 3

// Near are those of names that somebody who typed name may have meant, the nearest first.
func Near(name string, names []string) []string {
	type candidate struct {
		name string
		far  int
	}
	var all []candidate
	for _, n := range names {
		far := distance(name, n)
		if far > max(1, len(name)/3) && !strings.Contains(n, name) && !strings.Contains(name, n) {
			continue
		}
		all = append(all, candidate{n, far})
	}
	slices.SortStableFunc(all, func(a, b candidate) int { return a.far - b.far })
	var near []string
	for _, c := range all[:min(len(all), maxNear)] {
		near = append(near, c.name)
	}
	return near
}

// Missing says that there is no object of a kind with a name, and what may have been
// meant; names are those that there are.
func Missing(kind, namespace, name string, names []string) error {
	text := fmt.Sprintf("there is no %s %q in namespace %s", kind, name, namespace)
	near := Near(name, names)
	switch {
	case len(near) > 0:
		text += "; did you mean " + strings.Join(near, ", ") + "?"
	case len(names) == 0:
		text += ", which has none at all; another namespace is written NAMESPACE/NAME, or with -n"
	default:
		text += "; there are " + strings.Join(names[:min(len(names), 2*maxNear)], ", ")
		if len(names) > 2*maxNear {
			text += fmt.Sprintf(" and %d more", len(names)-2*maxNear)
		}
	}
	return &MissingError{text}
}

// MissingError says that an object is not there.
type MissingError struct{ text string }

func (e *MissingError) Error() string { return e.text }

// distance is how many characters are to be added, removed or replaced to make b of a
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
