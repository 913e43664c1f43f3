package verifier_test

import (
	"crypto/x509"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/lanyard-dev/lanyard/verifier"
)

// A whole API: who calls GET /orders must have the role Orders.Read.All.
func Example() {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile("/var/run/lanyard/ca/ca.crt") // of the ConfigMap lanyard-ca
	if err != nil {
		log.Fatal(err)
	}
	roots.AppendCertsFromPEM(pem)
	v, err := verifier.New(verifier.Config{
		Issuer:   "https://lanyard-issuer.lanyard-system.svc",
		Audience: "api://orders",
		RootCAs:  roots,
	})
	if err != nil {
		log.Fatal(err)
	}
	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := verifier.FromContext(r.Context()); ok {
			fmt.Fprintln(w, "hello,", token.ClientID)
		}
	})
	mux := http.NewServeMux()
	mux.Handle("GET /orders", v.RequireRole("Orders.Read.All")(orders))
	server := &http.Server{
		Addr:              ":8443",
		Handler:           mux,
		TLSConfig:         verifier.TLSConfig(nil), // asks for the certificates that tokens are bound to
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Fatal(server.ListenAndServeTLS("tls.crt", "tls.key"))
}
