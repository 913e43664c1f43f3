package check

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/lanyard-dev/lanyard/issuer/jose"
)

// What Lanyard needs, as minor versions of 1.
const (
	leastKubernetes  = 33 // native sidecars
	leastCertManager = 18
)

func (p *probe) cluster() section {
	return section{"Kubernetes", []check{
		{"API server", p.apiServer},
		{"clock of the API server", func(context.Context) Result { return p.clock("API server", p.version) }},
		{"cert-manager", p.certManager},
	}}
}

func (p *probe) apiServer(context.Context) Result {
	h, err := p.version()
	if err != nil {
		return fail("Is the kubeconfig right, and are you logged in?", "it does not answer: %v", err)
	}
	var v struct {
		GitVersion string `json:"gitVersion"`
	}
	if err := json.Unmarshal(h.Body, &v); err != nil {
		return unclear(err)
	}
	return judgeVersion("Kubernetes", v.GitVersion, leastKubernetes)
}

// certManager looks at cert-manager's own definition, which everybody who may see
// definitions can read.
func (p *probe) certManager(ctx context.Context) Result {
	crd := &unstructured.Unstructured{Object: object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}}
	err := p.Get(ctx, types.NamespacedName{Name: "certificates.cert-manager.io"}, crd)
	if apierrors.IsNotFound(err) {
		return fail(fmt.Sprintf("Install cert-manager 1.%d or newer; Lanyard has it make every certificate.", leastCertManager), "it is not installed")
	}
	if r, done := unseen(err, "CustomResourceDefinitions"); done {
		return r
	}
	if r := established(crd.Object, time.Time{}); r.Verdict != OK {
		return r
	}
	version := crd.GetLabels()["app.kubernetes.io/version"]
	if version == "" {
		return ok("it is installed, of an unknown version")
	}
	return judgeVersion("cert-manager", version, leastCertManager)
}

// judgeVersion judges a version like v1.34.2-gke.1.
func judgeVersion(what, version string, least int) Result {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	digits, _, _ := strings.Cut(rest, ".")
	minor, err := strconv.Atoi(strings.TrimRight(digits, "+"))
	switch {
	case err != nil:
		return warn("", "its version %q cannot be read; Lanyard needs %s 1.%d or newer", version, what, least)
	case major == "1" && minor < least:
		return fail(fmt.Sprintf("Lanyard needs %s 1.%d or newer.", what, least), "it is %s", version)
	}
	return ok("it is %s", version)
}

// established judges a CustomResourceDefinition by its conditions.
func established(o object, _ time.Time) Result {
	status, reason := condition(o, "Established")
	if status == "True" {
		return ok("it is established")
	}
	return fail("Ask the API server why: kubectl describe crd "+nameOf(o), "it is not established%s", reason)
}

// condition reads a condition's status, and its message as the end of a sentence.
func condition(o object, kind string) (status, message string) {
	list, _, _ := unstructured.NestedSlice(o, "status", "conditions")
	for _, c := range list {
		c, _ := c.(object)
		if c["type"] == kind {
			status, _ = c["status"].(string)
			if message, _ = c["message"].(string); message != "" {
				message = ": " + message
			}
			return status, message
		}
	}
	return "", ""
}

// clock compares a clock with the one here.
func (p *probe) clock(whose string, ask func() (heard, error)) Result {
	h, err := ask()
	if err != nil {
		return notSeen("not looked at: it does not answer")
	}
	d, known := h.skew()
	if !known {
		return warn("", "the %s does not say what time it is", whose)
	}
	return judgeSkew(d, fmt.Sprintf("the clock of the %s", whose), "the one here")
}

// warnSkew is how far clocks may be apart without a word. Date tells whole seconds.
const warnSkew = 5 * time.Second

// judgeSkew judges how far the clock of one is ahead of that of the other.
func judgeSkew(d time.Duration, one, other string) Result {
	ahead := "ahead of"
	if d < 0 {
		ahead, d = "behind", -d
	}
	const hint = "Set both by NTP: tokens, assertions and proofs are compared with the clock."
	switch {
	case d > jose.DefaultLeeway:
		return fail(hint, "%s is %s %s %s, more than the %s that Lanyard forgives", one, d.Round(time.Second), ahead, other, jose.DefaultLeeway)
	case d > warnSkew:
		return warn(hint, "%s is %s %s %s", one, d.Round(time.Second), ahead, other)
	}
	return ok("%s agrees with %s", one, other)
}
