package clientauth

import "github.com/lanyard-dev/lanyard/issuer/jose"

// readConfirmation reads which certificate the payload of a verified assertion names
// (RFC 8705 section 3.1); empty if it names none.
func readConfirmation(payload []byte) (thumbprint string, err error) {
	err = jose.EachMember(payload, func(name, value []byte) error {
		if string(name) != "cnf" {
			return nil
		}
		return readThumbprint(value, &thumbprint)
	})
	return thumbprint, err
}

// readThumbprint reads the member x5t#S256 of a claim cnf (RFC 7800 section 3.1).
func readThumbprint(cnf []byte, to *string) error {
	return jose.EachMember(cnf, func(name, value []byte) error {
		if string(name) != "x5t#S256" {
			return nil
		}
		return jose.ReadString(name, value, to)
	})
}
