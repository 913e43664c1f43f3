// Package kube is how the issuer knows the cluster. It feeds the registry from
// watches, hands the signing keys of the one Secret that it may read to whoever
// signs, fetches the keys that the API server signs service account tokens with,
// and says which pods and service accounts live. Its only write are revocations.
//
// It is the only importer of client-go on the issuer's side. It decides nothing:
// what an object means is asked of issuer/rules by way of the registry. On a miss
// it asks the API server once, at a bounded rate, before it says no, because a pod
// that started a moment ago must not be refused. An error means "could not tell".
//
// What is kept of an object is what a request may need: no managed fields, no
// annotations, no status but pins and hashes of secrets; of a pod its UID and when it
// ends.
package kube
