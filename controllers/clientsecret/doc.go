// Package clientsecret makes the secrets of OAuthClients that list clientSecret, puts
// them into a Secret of the client's namespace, and writes their hashes to the status,
// which is all that the issuer sees.
//
// It never reads a Secret. It creates one, and patches only one that carries the UID of
// the client in a label: the test and the change are one JSON Patch (RFC 6902), which
// the API server does as a whole or not at all. Which secret the Secret holds is asked
// by the same kind of test. The next secret is made before the newest ends, and when
// the Secret was deleted, so that deleting it is how people replace a secret; the older
// one works until it ends, at most two at once. Removing clientSecret from the spec ends
// them all, if it is still so when somebody looks here; the Secret stays until the
// client is deleted, for nothing here may delete one.
//
// The Secret is written before the status. If the process dies in between, nobody
// accepts what the Secret holds, the label tells so, and the next look makes another.
//
// No secret reaches a status, an event, a log line or an error.
package clientsecret
