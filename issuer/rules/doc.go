// Package rules holds what Lanyard decides, as pure functions over the kinds:
// who owns a client id or an identifier, which role is granted to which client,
// which pins live, and whether a request gets a token and which.
//
// Controllers write status with these functions and the issuer decides with them
// at each request, so that a status never promises what the issuer refuses.
//
// The package imports the words (api/v1alpha1, issuer/oauth) and nothing that
// reads: no clock, no randomness, no network, no log. The time comes in as an
// argument. "No" is a value; there are no errors, because everything that could
// fail to be looked up was looked up before.
package rules
