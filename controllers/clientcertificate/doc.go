// Package clientcertificate reconciles ClientCertificates: it has cert-manager make
// certificates, and pins to the client what cert-manager made, what an adopted
// Certificate holds, or what was given as PEM.
//
// A reconciliation is observe (all reads) → decide (pure) → act (the one write of a
// Certificate) → conclude (pure) → one write of status → events on changes:
//
//   - issuance.go decides what Certificate there is to be;
//   - requests.go sees which certificates cert-manager's CertificateRequests prove;
//   - genuine.go judges which of them cert-manager made for the Certificate;
//   - leaf.go reads a certificate, and judges whether a client can use it;
//   - subject.go says what spec.subject matches, which makes no pin;
//   - pins.go keeps the durable record, status.pins;
//   - conclude.go says it all in status.
//
// It reads and writes no Secret: docs/decisions/0003-no-permission-on-secrets.md.
package clientcertificate
