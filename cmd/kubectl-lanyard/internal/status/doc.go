// Package status shows how one client, resource or role stands, as a whole: what it
// proves itself with, which roles it has, who decided and until when, and what is not as
// it should be. Without a name it shows a namespace.
//
// report… functions are pure: they make a report of what was read. What they say comes
// from the status that Lanyard's controller wrote; `kubectl lanyard why` asks the rules
// themselves.
package status
