package why

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/issuer/oauth"
	"github.com/lanyard-dev/lanyard/issuer/rules"
)

// question is the token request that is asked about.
type question struct {
	client types.NamespacedName
	// namespace is the current one of whoever asks.
	namespace string
	// resource as it was typed: an identifier, namespace/name or a name.
	resource string
	// scope is --scope as it was typed.
	scope     string
	grantType oauth.GrantType
	tokenType oauth.TokenType
	// peer is the certificate that the workload shows. Without one, what suits the client
	// best is assumed; exact says that nothing is.
	peer  rules.Peer
	exact bool
	// dpop says that a DPoP proof is sent, withoutProof that none is; else whichever suits
	// the client.
	dpop, withoutProof bool
	// pod or serviceAccount, if set, says whose token the workload sends.
	pod, serviceAccount string
	// method by which the client authenticates; empty: whichever works.
	method oauth.AuthMethod
}

// may says whether the client may be asked to authenticate by a method.
func (q *question) may(method oauth.AuthMethod) bool {
	tls := method == oauth.AuthTLSClient || method == oauth.AuthSelfSignedTLSClient
	return (q.method == "" || q.method == method) && (tls || q.grantType != oauth.GrantTLSClientAuth)
}

// byTLS says whether the certificate of the connection may authenticate.
func (q *question) byTLS() bool {
	return q.may(oauth.AuthTLSClient) || q.may(oauth.AuthSelfSignedTLSClient)
}

// byIdentifier says whether the resource is named by its identifier: a URI has a colon,
// and no name of Kubernetes does.
func (q *question) byIdentifier() bool { return strings.Contains(q.resource, ":") }

// ask reads what is asked for, once the resource's identifier is known. A word of the
// scope without a slash is a role of the resource.
func (q *question) ask(identifier string) (scope string, ask rules.Ask, refusal *oauth.Error) {
	if identifier == "" {
		return "", rules.Ask{}, nil
	}
	if q.scope == "" {
		scope = identifier + "/" + oauth.DefaultScope
	} else {
		var words []string
		for word := range strings.FieldsSeq(q.scope) {
			if !strings.Contains(word, "/") && !strings.HasPrefix(word, "urn:opc:") {
				word = identifier + "/" + word
			}
			words = append(words, word)
		}
		scope = strings.Join(words, " ")
	}
	if ask, refusal = rules.ParseScope(scope, ""); refusal != nil {
		return scope, ask, refusal
	}
	if ask.Identifier == "" { // such as an expiry alone
		ask.Identifier = identifier
	}
	return scope, ask, nil
}

// maxCertificateFile is more than any chain that the issuer looks at.
const maxCertificateFile = 256 << 10

// readPeer reads the certificate, and the chain behind it, that a workload would show. A
// key in the same file is passed over.
func readPeer(path string, stdin io.Reader) (rules.Peer, error) {
	in := stdin
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the person who types says which
		if err != nil {
			return rules.Peer{}, fmt.Errorf("--cert: %w", err)
		}
		defer func() { _ = file.Close() }() // nothing was written
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, maxCertificateFile))
	if err != nil {
		return rules.Peer{}, fmt.Errorf("--cert %s: %w", path, err)
	}
	return parsePeer(data)
}

func parsePeer(data []byte) (rules.Peer, error) {
	var chain []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return rules.Peer{}, fmt.Errorf("--cert: certificate %d cannot be read", len(chain)+1)
		}
		chain = append(chain, certificate)
	}
	if len(chain) == 0 {
		return rules.Peer{}, errors.New("--cert: the file holds no certificate; give the PEM that the workload connects with, such as tls.crt of its Secret")
	}
	return rules.PeerOf(chain), nil
}
