// Package consent is what the owner of an API decides on the command line: approve,
// deny, and the list of those who wait.
//
// planFor says what has to be written so that a decision holds, as a pure function over
// what was read; the commands read before it and write after it. The API server decides
// who may: nothing here is a permission.
package consent
