package clientauth

import "hash/maphash"

// Mark stands for the value of the label lanyard.dev/admitted in four bytes, of which
// there is one for each pod of the cluster. Zero: no label.
//
// It is a hash with a key that only this process knows, and that differs at its next
// start: nobody can look for a name whose mark passes for another's, and one in four
// billion does by chance.
type Mark uint32

var markSeed = maphash.MakeSeed()

// MarkOf returns what stands for a value of the label.
func MarkOf(label string) Mark {
	if label == "" {
		return 0
	}
	return max(1, Mark(maphash.String(markSeed, label))) //nolint:gosec // a part of a hash is one, too
}
