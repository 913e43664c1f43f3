package admission

import (
	"fmt"
	"strings"
	"testing"
)

const certificatePEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

func issued() spec {
	return spec{"clientRef": spec{"name": "checkout"}, "issuance": spec{"issuerRef": spec{"name": "ca"}, "secretName": "checkout-mtls"}}
}

func imported() spec {
	return spec{"clientRef": spec{"name": "checkout"}, "pem": certificatePEM}
}

func TestClientCertificate(t *testing.T) {
	thumbprint := strings.Repeat("a-_B0", 8) + "xyz"
	const sources = "exactly one source"
	table{
		"issuance, with defaults":                    {nothing, ""},
		"the story's certificate":                    {both(set("issuance.issuerRef", spec{"name": "workload-ca", "kind": "ClusterIssuer", "group": "cert-manager.io"}), set("issuance.duration", "24h"), set("issuance.renewBefore", "8h"), set("issuance.privateKey", spec{"algorithm": "ECDSA", "size": int64(256), "rotationPolicy": "Always"}), set("overlap", "15m"), set("distrust", []any{})), ""},
		"no client":                                  {unset("clientRef"), "spec.clientRef: Required value"},
		"a client without a name":                    {set("clientRef.name", ""), "spec.clientRef.name"},
		"no source":                                  {unset("issuance"), sources},
		"two sources":                                {set("pem", certificatePEM), sources},
		"certificateRef":                             {both(unset("issuance"), set("certificateRef", spec{"name": "checkout"})), ""},
		"issuance and certificateRef":                {set("certificateRef", spec{"name": "checkout"}), sources},
		"pem":                                        {both(unset("issuance"), set("pem", certificatePEM)), ""},
		"subject":                                    {both(unset("issuance"), set("subject", spec{"caBundle": certificatePEM, "dns": "x"})), ""},
		"all four sources":                           {both(set("certificateRef", spec{"name": "x"}), set("pem", certificatePEM), set("subject", spec{"caBundle": "x"})), sources},
		"pem that is no certificate":                 {both(unset("issuance"), set("pem", "MIIB")), "begins with -----BEGIN CERTIFICATE-----"},
		"pem that is empty":                          {both(unset("issuance"), set("pem", "")), "spec.pem"},
		"pem with a private key":                     {both(unset("issuance"), set("pem", certificatePEM+"-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n")), "spec.pem holds a private key"},
		"pem with an encrypted private key":          {both(unset("issuance"), set("pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"+certificatePEM)), "replace the key"},
		"pem that is too long":                       {both(unset("issuance"), set("pem", certificatePEM+strings.Repeat("a", 16384))), "Too long"},
		"an issuer whose kind holds a line":          {set("issuance.issuerRef.kind", "Issuer\nx"), "kind is such as Issuer or ClusterIssuer"},
		"an external issuer":                         {set("issuance.issuerRef", spec{"name": "x.y", "kind": "AWSPCAClusterIssuer", "group": "awspca.cert-manager.io"}), ""},
		"no issuer":                                  {unset("issuance.issuerRef"), "issuerRef: Required value"},
		"an issuer without a name":                   {set("issuance.issuerRef.name", ""), "issuerRef.name"},
		"no secretName":                              {unset("issuance.secretName"), "secretName: Required value"},
		"a secretName that is none":                  {set("issuance.secretName", "Checkout_MTLS"), "lower-case letters, digits, - and ."},
		"a secretName with a slash":                  {set("issuance.secretName", "../x"), "lower-case letters"},
		"the shortest duration":                      {both(set("issuance.duration", "1h"), set("issuance.renewBefore", "5m")), ""},
		"a duration below cert-manager's limit":      {both(set("issuance.duration", "59m"), set("issuance.renewBefore", "5m")), "at least 1h (a limit of cert-manager)"},
		"a duration of eleven years":                 {set("issuance.duration", "96360h"), "at most 87600h"},
		"a renewBefore below cert-manager's limit":   {set("issuance.renewBefore", "4m59s"), "at least 5m (a limit of cert-manager)"},
		"a renewBefore as long as the duration":      {set("issuance.renewBefore", "24h"), "must be shorter than duration (24h unless"},
		"a renewBefore longer than a short duration": {set("issuance.duration", "2h"), "must be shorter than duration (24h unless"},
		"an RSA key":                                 {set("issuance.privateKey", spec{"algorithm": "RSA", "size": int64(3072)}), ""},
		"an Ed25519 key":                             {set("issuance.privateKey", spec{"algorithm": "Ed25519"}), ""},
		"an Ed25519 key with a size":                 {set("issuance.privateKey", spec{"algorithm": "Ed25519", "size": int64(256)}), "left out for Ed25519"},
		"an RSA key of an ECDSA size":                {set("issuance.privateKey", spec{"algorithm": "RSA", "size": int64(256)}), "2048, 3072 or 4096 for RSA"},
		"a weak RSA key":                             {set("issuance.privateKey", spec{"algorithm": "RSA", "size": int64(1024)}), "2048, 3072 or 4096 for RSA"},
		"an ECDSA key of 521 bits":                   {set("issuance.privateKey", spec{"size": int64(521)}), "256 or 384 for ECDSA"},
		"a size of zero":                             {set("issuance.privateKey", spec{"size": int64(0)}), "256 or 384 for ECDSA"},
		"a size that no int32 holds":                 {set("issuance.privateKey", spec{"size": int64(1) << 40}), "256 or 384 for ECDSA"},
		"an unknown algorithm":                       {set("issuance.privateKey", spec{"algorithm": "DSA"}), "Unsupported value"},
		"an unknown rotationPolicy":                  {set("issuance.privateKey", spec{"rotationPolicy": "Sometimes"}), "Unsupported value"},
		"the shortest overlap":                       {set("overlap", "5m"), ""},
		"the longest overlap":                        {set("overlap", "168h"), ""},
		"an overlap that is too short":               {set("overlap", "4m"), "between 5m and 168h"},
		"an overlap that is too long":                {set("overlap", "169h"), "between 5m and 168h"},
		"a thumbprint":                               {set("distrust", []any{thumbprint}), ""},
		"a thumbprint in hexadecimal":                {set("distrust", []any{strings.Repeat("ab", 32)}), "not hexadecimal"},
		"a thumbprint with padding":                  {set("distrust", []any{thumbprint + "="}), "without padding"},
		"a thumbprint of plain base64":               {set("distrust", []any{strings.Repeat("+", 43)}), "base64url"},
		"a thumbprint that is empty":                 {set("distrust", []any{""}), "spec.distrust[0]"},
		"a thumbprint twice":                         {set("distrust", []any{thumbprint, thumbprint}), "Duplicate value"},
		"65 thumbprints":                             {set("distrust", repeat(65, func(i int) any { return fmt.Sprintf("%043d", i) })), "Too many"},
	}.durations("overlap", "spec.overlap").
		durations("issuance.duration", "spec.issuance").
		durations("issuance.renewBefore", "spec.issuance").
		creates(t, "ClientCertificate", issued)
}

func TestSubject(t *testing.T) {
	matched := func() spec {
		return spec{"clientRef": spec{"name": "checkout"}, "subject": spec{"caBundle": certificatePEM, "dns": "checkout.shop.svc"}}
	}
	named := func(kind, value string) func(spec) { return both(unset("subject.dns"), set("subject."+kind, value)) }
	const one = "exactly one of dn, dns, uri, ip and email"
	table{
		"a DNS name":                   {nothing, ""},
		"a distinguished name":         {named("dn", "CN=checkout,O=Shop"), ""},
		"a URI":                        {named("uri", "spiffe://cluster.local/ns/shop/sa/checkout"), ""},
		"an IP address":                {named("ip", "2001:db8::1"), ""},
		"an email address":             {named("email", "checkout@example.com"), ""},
		"no name":                      {unset("subject.dns"), one},
		"two names":                    {set("subject.uri", "spiffe://x/y"), one},
		"a name that is empty":         {set("subject.dns", ""), "spec.subject.dns"},
		"an empty name beside another": {set("subject.email", ""), "spec.subject.email"},
		"a name that is too long":      {set("subject.dns", strings.Repeat("a", 254)), "Too long"},
		"no bundle":                    {unset("subject.caBundle"), "caBundle: Required value"},
		"a bundle that is none":        {set("subject.caBundle", "MIIB"), "begins with -----BEGIN CERTIFICATE-----"},
		"a bundle with a private key":  {set("subject.caBundle", certificatePEM+"-----BEGIN PRIVATE KEY-----\nMIIB\n"), "caBundle holds a private key"},
		"a bundle of many":             {set("subject.caBundle", strings.Repeat(certificatePEM, 1000)), ""},
		"a bundle that is too long":    {set("subject.caBundle", strings.Repeat(certificatePEM, 1200)), "Too long"},
		"beside a pem":                 {set("pem", certificatePEM), "exactly one source"},
	}.creates(t, "ClientCertificate", matched)
	table{
		"another name":            {set("subject.dns", "other"), ""},
		"a private key is added":  {set("subject.caBundle", certificatePEM+"-----BEGIN PRIVATE KEY-----"), "holds a private key"},
		"a second name is added":  {set("subject.ip", "192.0.2.1"), one},
		"another source takes it": {both(unset("subject"), set("pem", certificatePEM)), ""},
	}.updates(t, "ClientCertificate", matched)
}

func TestClientCertificateChanges(t *testing.T) {
	table{
		"everything else changes":           {both(set("issuance.secretName", "other"), set("overlap", "1h")), ""},
		"the client is not changed":         {set("clientRef.name", "other"), "spec.clientRef cannot be changed"},
		"a second source is not added":      {set("pem", certificatePEM), "exactly one source"},
		"the source changes as a whole":     {both(unset("issuance"), set("pem", certificatePEM)), ""},
		"a duration does not become broken": {set("issuance.duration", "1d"), "spec.issuance"},
	}.updates(t, "ClientCertificate", issued)
	table{
		"a private key is not added": {set("pem", certificatePEM+"-----BEGIN PRIVATE KEY-----"), "holds a private key"},
	}.updates(t, "ClientCertificate", imported)
}

// A refusal is printed, logged and audited: it must not hold the key that it refuses.
func TestRefusedPrivateKeyIsNotRepeated(t *testing.T) {
	const key = "MHcCAQEEIBsecretsecretsecret"
	namespace := env.Namespace(t, nil, nil).Name
	for sentence, pem := range map[string]string{
		"a key alone":               "-----BEGIN EC PRIVATE KEY-----\n" + key + "\n-----END EC PRIVATE KEY-----\n",
		"a key after a certificate": certificatePEM + "-----BEGIN EC PRIVATE KEY-----\n" + key + "\n-----END EC PRIVATE KEY-----\n",
		"a key that is too long":    "-----BEGIN PRIVATE KEY-----\n" + strings.Repeat(key+"\n", 3000),
		"a key without its frame":   key,
	} {
		t.Run(sentence, func(t *testing.T) {
			for _, field := range []string{"pem", "subject.caBundle"} {
				s := issued()
				both(unset("issuance"), set(field, pem))(s)
				err := env.Client.Create(t.Context(), object("ClientCertificate", namespace, s))
				if err == nil {
					t.Fatalf("%s: accepted", field)
				}
				if strings.Contains(err.Error(), key) {
					t.Errorf("%s: the refusal repeats the key: %v", field, err)
				}
			}
		})
	}
}
