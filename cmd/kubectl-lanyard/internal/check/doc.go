// Package check is `kubectl lanyard check`: is the installation healthy, and if not,
// what is to be done.
//
// A check is a name and a function that looks at one thing and says what it found.
// Looking is thin; what is judged of what was seen stands in functions of their own,
// which are given the time. What the person may not see is no failure of the
// installation: it is said, and nothing more.
package check
