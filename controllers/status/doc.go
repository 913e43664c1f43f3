// Package status is what every controller does alike with what it concluded:
// conditions that keep the moment of their last change, and events that are told on
// a change only.
//
// Its functions are pure but for [Record], which hands events to a recorder. It
// knows no kind, reads nothing and writes no object: each controller writes its own
// status, once, as a whole.
package status
