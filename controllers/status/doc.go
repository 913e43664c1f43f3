// Package status is what every controller does alike with what it concluded:
// conditions that keep the moment of their last change, one write of the status where it
// has changed, and events that are told on a change only.
//
// What judges is pure; [Record] hands events to a recorder, and [Write] and [Writer] patch
// the status as a whole. It knows no kind and reads nothing.
package status
