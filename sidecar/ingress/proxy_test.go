package ingress

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"testing"
)

// A certificate of P-256 that signed itself.
const seedDER = "MIIBMDCB16ADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMTBHNlZWQ="

func FuzzCertificateHeader(f *testing.F) {
	der, _ := base64.StdEncoding.DecodeString(seedDER)
	text := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	f.Add(text)
	f.Add(":" + seedDER + ":")
	f.Add(`Hash=1;Subject="a\"b";Cert="` + text + `";URI=`)
	f.Add(`By=a,Cert=b`)
	f.Fuzz(func(t *testing.T, value string) {
		for proxy, name := range map[Proxy]string{Nginx: headerNginx, HAProxy: headerRFC, Envoy: headerEnvoy} {
			c, err := proxy.certificate(http.Header{name: {value}})
			if err != nil && c != nil {
				t.Errorf("%s: both a certificate and %v", proxy, err)
			}
			if err == nil && c == nil && value != "" {
				t.Errorf("%s: %q counts as no certificate", proxy, value)
			}
		}
	})
}

func FuzzIsForged(f *testing.F) {
	f.Add("X-Lanyard-Roles")
	f.Add("x_lanyard.roles")
	f.Fuzz(func(t *testing.T, name string) {
		h := http.Header{name: {"x"}, HeaderRoles: {"x"}}
		strip(h, false)
		for left := range h {
			if isForged(foldName(left)) {
				t.Errorf("%q is left of %q", left, name)
			}
		}
	})
}
