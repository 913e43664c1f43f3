package clientcertificate

import (
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// matching is what spec.subject comes to at one moment. It makes no pin: the issuer
// looks at each certificate that a connection comes with.
type matching struct {
	verdict rules.Verdict
	// warning says which of the CAs need somebody's hand; empty: none.
	warning string
	// next is when that changes by itself; zero: never.
	next time.Time
}

// maxNotice is how long before its end a CA is warned of at most; one that lives
// shortly is warned of when a third of its life is left.
const maxNotice = 30 * 24 * time.Hour

// seeSubject says what spec.subject matches at now.
func seeSubject(s *v1alpha1.SubjectSource, now time.Time) *matching {
	subject, err := rules.ReadSubject(s)
	if err != nil {
		return &matching{verdict: refused(v1alpha1.ReasonSubjectInvalid, err.Error())}
	}
	m, all := &matching{}, subject.Authorities()
	var works, early int
	var last, first time.Time // end of the last CA, beginning of the first that is to come
	var warnings []string
	for i, ca := range all {
		warnFrom := ca.NotAfter.Add(-min(maxNotice, ca.NotAfter.Sub(ca.NotBefore)/3))
		m.consider(now, ca.NotBefore, warnFrom, ca.NotAfter)
		switch {
		case !now.Before(ca.NotAfter):
			warnings = append(warnings, fmt.Sprintf("%s expired at %s", caName(i, ca), date(metav1.NewTime(ca.NotAfter))))
			last = later(last, ca.NotAfter)
		case now.Before(ca.NotBefore):
			early++
			if first.IsZero() || ca.NotBefore.Before(first) {
				first = ca.NotBefore
			}
		default:
			works++
			if !now.Before(warnFrom) {
				warnings = append(warnings, fmt.Sprintf("%s expires at %s", caName(i, ca), date(metav1.NewTime(ca.NotAfter))))
			}
		}
	}
	switch {
	case works > 0:
		m.verdict = rules.Verdict{OK: true, Reason: v1alpha1.ReasonReady, Message: fmt.Sprintf(
			"certificates for client authentication (extended key usage clientAuth) with %s match, if a CA of spec.subject.caBundle issued them (%d of %d valid now)",
			wanted(s), works, len(all))}
		if len(warnings) > 0 {
			m.warning = "in spec.subject.caBundle " + strings.Join(warnings, ", ") + "; put the CA's next certificate there too"
			m.verdict.Message += "; " + m.warning
		}
	case early > 0:
		m.verdict = refused(v1alpha1.ReasonCertificateNotYetValid, fmt.Sprintf(
			"no CA certificate in spec.subject.caBundle is valid now; the next one is from %s, and works then, without anybody's doing", date(metav1.NewTime(first))))
	default:
		m.verdict = refused(v1alpha1.ReasonCertificateExpired, fmt.Sprintf(
			"every CA certificate in spec.subject.caBundle has expired, the last one at %s; put the certificate there of the CA that issues now", date(metav1.NewTime(last))))
	}
	return m
}

// consider remembers the next of the moments.
func (m *matching) consider(now time.Time, moments ...time.Time) {
	for _, t := range moments {
		if t.After(now) && (m.next.IsZero() || t.Before(m.next)) {
			m.next = t
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// maxName is how much of a CA's name is repeated: the bundle's author chose it.
const maxName = 100

func caName(i int, ca *x509.Certificate) string {
	return fmt.Sprintf("certificate %d (%.*q)", i+1, maxName, ca.Subject.String())
}

// wanted says in words what the one named subject is.
func wanted(s *v1alpha1.SubjectSource) string {
	switch {
	case s.DN != "":
		return fmt.Sprintf("the subject %q", s.DN)
	case s.DNS != "":
		return fmt.Sprintf("the DNS name %q", s.DNS)
	case s.URI != "":
		return fmt.Sprintf("the URI %q", s.URI)
	case s.IP != "":
		return fmt.Sprintf("the IP address %q", s.IP)
	default:
		return fmt.Sprintf("the e-mail address %q", s.Email)
	}
}
