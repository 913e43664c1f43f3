// Package why explains why a client gets, or does not get, a token for a resource: every
// step of the issuer's decision with its verdict, and the sentence that says what to
// change.
//
// It decides nothing itself. What the person may read goes into issuer/registry, as the
// issuer's watches put it there, and issuer/clientauth and issuer/rules are asked the same
// questions that the issuer asks them. What may not be read is said, and the client's own
// status, which the controller writes by the same rules, stands in for it.
package why
