package clientauth

import (
	"github.com/lanyard-dev/lanyard/issuer/jose"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// kubernetes is the claim kubernetes.io of a service account token: who asks, and
// what the token is bound to.
type kubernetes struct {
	workload          rules.Workload
	pod, node, secret bool
	// thumbprint is the x5t#S256 of the claim cnf beside it.
	thumbprint string
}

// readKubernetes reads the claim from the payload of a verified token. Members that
// are not known are passed over, as the API server adds some from time to time.
func readKubernetes(payload []byte) (*kubernetes, error) {
	k := &kubernetes{}
	w := &k.workload
	member := func(name, value []byte) error {
		switch string(name) {
		case "namespace":
			return jose.ReadString(name, value, &w.Namespace)
		case "serviceaccount":
			return readReference(value, &w.ServiceAccount, &w.ServiceAccountUID)
		case "pod":
			k.pod = true
			return readReference(value, &w.Pod, &w.PodUID)
		case "node":
			k.node = true
		case "secret":
			k.secret = true
		}
		return nil
	}
	err := jose.EachMember(payload, func(name, value []byte) error {
		switch string(name) {
		case "kubernetes.io":
			return jose.EachMember(value, member)
		case "cnf":
			return readThumbprint(value, &k.thumbprint)
		}
		return nil
	})
	return k, err
}

// readReference reads the name and the UID of an object.
func readReference(value []byte, name, uid *string) error {
	return jose.EachMember(value, func(member, value []byte) error {
		switch string(member) {
		case "name":
			return jose.ReadString(member, value, name)
		case "uid":
			return jose.ReadString(member, value, uid)
		}
		return nil
	})
}
