package why

import "strings"

// reasonSentence says for a person what a word means by which the issuer's log tells why
// it did not accept a client, and what to change. See docs/reference/errors/20001.md.
func reasonSentence(reason string) string {
	if sentence, ok := reasons()[reason]; ok {
		return sentence
	}
	if reason != "" && strings.ToUpper(reason[:1]) == reason[:1] {
		return "the client does not work (" + reason + "): see the condition Ready of the OAuthClient"
	}
	return reason
}

// reasons are the words of issuer/clientauth.
func reasons() map[string]string {
	return map[string]string{
		"unknown_client": "no OAuthClient has this client id, and may have it; compare client_id with status.clientID letter by letter",
		"other_tenant":   "the namespace in the URL is not the client's; use the client's own, or the endpoint without one",

		"certificate_not_pinned_or_method_not_listed": "it is no live pin of the client, or spec.authentication.certificate.methods does not list a method that fits it: tls_client_auth, or self_signed_tls_client_auth for one given as pem",

		"service_account_of_no_such_client": "no client of that namespace lists the service account; add it to spec.authentication.serviceAccounts, and send the right client_id",
		"service_account_not_listed":        "the client does not list the service account; add it to spec.authentication.serviceAccounts",
		"service_account_gone":              "the service account is gone, or was made anew; use the token of a pod that lives",
		"pod_gone":                          "it is gone, or has Succeeded or Failed, or another has its name now; use the token of a pod that lives",
		"pod_deleted":                       "it was deleted, and its grace period has passed; use the token of a pod that lives",
		"pod_of_other_service_account":      "it runs as another service account than the token says",
		"pod_not_admitted":                  "admission: Required accepts only a pod that Lanyard injected for this client; put the label lanyard.dev/inject: \"true\" and the annotation lanyard.dev/client with the client's name on the pod's template, or set admission: Optional",

		"private_key_jwt_not_listed":        "the client does not list private_key_jwt; add it to spec.authentication.certificate.methods",
		"assertion_key_not_pinned":          "the header of the assertion names no live pin; name one by x5t#S256, x5t or kid",
		"assertion_key_unusable":            "the key of the pinned certificate cannot verify such an assertion; use ECDSA P-256 or P-384, Ed25519, or RSA of 2048 bits or more",
		"assertion_audience":                "aud must be one value: the issuer's URL, or the endpoint that was called; no slash at the end, no other path",
		"assertion_of_unknown_issuer":       "iss and sub of the assertion must both be the client id, or the token must be one of this cluster's service accounts",
		"assertion_of_other_client":         "client_id differs from iss and sub of the assertion; send the same",
		"assertion_expired":                 "the assertion had expired; make a new one for each request, and compare the clocks",
		"assertion_not_yet_valid":           "the assertion is not valid yet; compare the clocks",
		"assertion_lives_too_long":          "exp of the assertion is more than 10 minutes away; make it shorter",
		"assertion_without_jti":             "the assertion has no jti; give each a new one, or set assertionReuse: UntilExpiry",
		"assertion_replayed":                "the assertion was used before; make a new one for each request, or set assertionReuse: UntilExpiry",
		"assertion_bound_to_no_pod":         "the token is bound to no pod, and boundTo is Pod; mount it into a pod, or set boundTo: Any",
		"assertion_bound_to_node":           "the token is bound to a node; use one that is projected into a pod",
		"assertion_bound_to_secret":         "the token is of a Secret and never ends; use one that is projected into a pod",
		"assertion_without_service_account": "the token names no service account, or none by UID; use one that is projected into a pod",
		"assertion_subject_disagrees":       "sub of the token and its claim kubernetes.io name different service accounts",
		"assertion_claims":                  "the claims of the assertion cannot be read; cause says which",
		"assertion_malformed":               "the assertion is no JWT that can be read; cause says why",
		"assertion_algorithm":               "the alg of the assertion is not one that its key is for",
		"assertion_signature":               "the signature of the assertion is not of the pinned key, or of this cluster",
		"assertion_unknown_key":             "the kid of the token is none of this cluster's keys",
		"assertion_type":                    "the typ of the assertion must be JWT, or absent",
		"assertion_not_valid":               "the assertion is not valid; cause says why",

		"client_secret":                   "the secret is wrong, or has ended; read it from its Secret again",
		"client_secret_method_not_listed": "the client does not list this way of sending its secret; add it to spec.authentication.clientSecret.methods",
	}
}
