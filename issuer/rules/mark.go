package rules

import (
	"crypto/sha256"
	"encoding/hex"
)

const (
	// maxLabelValue is the longest value of a label (Kubernetes API conventions).
	maxLabelValue = 63
	// markHash is how many hexadecimal digits tell two long names apart that begin alike.
	markHash = 12
)

// Mark is the value of the label lanyard.dev/admitted on a pod that was injected for the
// client of that name: the name itself, or the beginning of a long one and a part of its
// SHA-256, because a label holds 63 bytes and the name of an object 253. No object's name
// holds the underscore between the two, so that no client can be called like another's mark.
// Injector and issuer both ask this function, so that they agree on whose the pod is.
func Mark(clientName string) string {
	if len(clientName) <= maxLabelValue {
		return clientName
	}
	sum := sha256.Sum256([]byte(clientName))
	return clientName[:maxLabelValue-1-markHash] + "_" + hex.EncodeToString(sum[:])[:markHash]
}
