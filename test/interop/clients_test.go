//go:build e2e

package interop

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// programTimeout is how long one client may take, on a machine that is busy with other things.
const programTimeout = time.Minute

// object is a JSON object.
type object = map[string]any

// outcome is what a client of another maker has told.
type outcome struct {
	steps  []object
	failed string // what it wrote to standard error, if it failed
}

// run runs a program with an input on its standard input. What it inherits is the way to trust
// the issuer's certificate, and nothing else that matters.
func (w *world) run(t *testing.T, input any, program string, args ...string) outcome {
	t.Helper()
	w.showLogIfFailed(t)
	document, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "NODE_EXTRA_CA_CERTS=" + w.caFile(), "NO_PROXY=127.0.0.1"}
	cmd.Stdin = bytes.NewReader(document)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	var result outcome
	decoder := json.NewDecoder(&stdout)
	for {
		var step object
		if err := decoder.Decode(&step); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s wrote what is no JSON: %v", program, err)
		}
		result.steps = append(result.steps, step)
	}
	if err != nil {
		result.failed = fmt.Sprintf("%v\n%s", err, stderr.String())
	}
	return result
}

// node runs one of the programs in the folder node.
func (w *world) node(t *testing.T, script string, input object) outcome {
	t.Helper()
	return w.run(t, input, "node", "--no-warnings", w.root+"/test/interop/node/"+script)
}

// golang runs one of the programs in the folder go.
func (w *world) golang(t *testing.T, name string, input object) outcome {
	t.Helper()
	return w.run(t, input, w.path("bin", name))
}

// all returns the steps of that name. The program must have ended well.
func (o outcome) all(t *testing.T, name string) []object {
	t.Helper()
	if o.failed != "" {
		t.Fatalf("it failed: %s\nafter %v", o.failed, o.names())
	}
	var found []object
	for _, step := range o.steps {
		if step["step"] == name {
			found = append(found, step)
		}
	}
	return found
}

// one returns the only step of that name.
func (o outcome) one(t *testing.T, name string) object {
	t.Helper()
	found := o.all(t, name)
	if len(found) != 1 {
		t.Fatalf("%d steps %q, want one; the steps are %v", len(found), name, o.names())
	}
	return found[0]
}

func (o outcome) names() []any {
	var names []any
	for _, step := range o.steps {
		names = append(names, step["step"])
	}
	return names
}

// refused returns what the library says of a request that must be refused.
func (o outcome) refused(t *testing.T) string {
	t.Helper()
	if o.failed == "" {
		t.Fatalf("it succeeded: %v", o.names())
	}
	return o.failed
}

func wantInError(t *testing.T, says, want string) {
	t.Helper()
	if !strings.Contains(says, want) {
		t.Errorf("the error does not say %s:\n%s", want, says)
	}
}

// checkToken looks at what a token answer and the token in it say. What the token must say is
// given; what differs each time is not compared.
func checkToken(t *testing.T, answer object, want object) {
	t.Helper()
	token, _ := answer["access_token"].(string)
	claims := payload(t, token)
	got := object{}
	for name := range want {
		got[name] = claims[name]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if answer["token_type"] == nil || answer["token_type"] == "" {
		t.Errorf("the answer has no token_type: %v", answer)
	}
}

// payload decodes the claims of a token, whose signature others check: see verifiers_test.go.
func payload(t *testing.T, token string) object { t.Helper(); return part(t, token, 1) }

// header decodes the header of a token.
func header(t *testing.T, token string) object { t.Helper(); return part(t, token, 0) }

func part(t *testing.T, token string, number int) object {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[number])
	if err != nil {
		t.Fatal(err)
	}
	var decoded object
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// eventually waits until check is content, for at most a minute.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("after a minute: %v", err)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ordersToken is what a token for the orders API says of a client of the shop; cnf nil: it is
// bound to nothing.
func ordersToken(client string, cnf any) object {
	return object{
		"sub": "shop/" + client, "client_id": "shop/" + client, "appid": "shop/" + client, "tid": "shop",
		"aud": "api://orders", "roles": []any{"Orders.Read.All"}, "cnf": cnf,
	}
}

// boundTo is the cnf of a token that is bound to a certificate.
func boundTo(p pair) any { return object{"x5t#S256": p.x5t()} }

// showLogIfFailed adds what the issuer has logged meanwhile to what a failed test tells.
func (w *world) showLogIfFailed(t *testing.T) {
	t.Helper()
	if w.logOf == t.Name() {
		return // once for each test, however many clients it runs
	}
	w.logOf = t.Name()
	log := w.cluster.Supervisor().LogPath("issuer")
	before, err := os.Stat(log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		data, err := os.ReadFile(log)
		if err == nil && int64(len(data)) >= before.Size() {
			t.Logf("the issuer's log:\n%s", data[before.Size():])
		}
	})
}

// serviceAccountToken is what the kubelet would mount in the pod checkout-0.
func (w *world) serviceAccountToken(t *testing.T) string {
	t.Helper()
	token, err := w.kubectl(t.Context(), "create", "token", "checkout", "-n", "shop", "--audience="+w.issuer,
		"--duration=1h", "--bound-object-kind=Pod", "--bound-object-name=checkout-0")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(token)
}
