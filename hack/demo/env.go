package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Leave writes what a person or a script needs to go on from here, and says how. It comes after
// [Demo.Tell].
func (d *Demo) Leave(ctx context.Context) error {
	ports, err := d.ports()
	if err != nil {
		return err
	}
	// cert-manager may have renewed it since.
	if err := d.exportSecret(ctx, shop, "checkout-mtls", checkout); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("# How to go on with the demo. To source from a shell.\n")
	for _, v := range []struct{ name, value string }{
		{"KUBECONFIG", d.cluster.Kubeconfig()},
		{"LANYARD_ISSUER", ports.issuerURL()},
		{"LANYARD_CA", d.path("tls", "issuer", "ca.crt")},
		{"LANYARD_ORDERS_URL", ports.ordersURL()},
		{"LANYARD_CLIENT_ID", clientID},
		{"LANYARD_CLIENT_CERT", d.path(checkout, "tls.crt")},
		{"LANYARD_CLIENT_KEY", d.path(checkout, "tls.key")},
		{"LANYARD_ASSERTION_FILE", d.path(assertionFile)},
	} {
		fmt.Fprintf(&b, "export %s=%s\n", v.name, shellWord(v.value))
	}
	// kubectl, and kubectl lanyard; last, so that a kubectl of one's own comes first.
	for _, dir := range []string{d.assets.Dir, d.path("bin")} {
		fmt.Fprintf(&b, "case \":$PATH:\" in *:%[1]s:*) ;; *) export PATH=\"$PATH\":%[1]s ;; esac\n", shellWord(dir))
	}
	if err := writeIfChanged(d.path("env"), []byte(b.String())); err != nil {
		return err
	}
	d.tell.chapter("Go on from here", "Everything keeps running. In a shell, in this folder:")
	for _, line := range d.tryLines() {
		d.tell.line("%s", strings.ReplaceAll(line, "\n", "\n     "))
	}
	d.tell.line("")
	d.tell.line("make demo tells the story again, and starts what has died. make demo-down ends everything.")
	return nil
}

// tryLines are the lines of the shell to begin with.
func (d *Demo) tryLines() []string {
	const connection = `curl -s --cacert "$LANYARD_CA" --cert "$LANYARD_CLIENT_CERT" --key "$LANYARD_CLIENT_KEY"`
	return []string{
		". " + shellWord(d.typed("env")),
		"TOKEN=$(" + connection + " \\\n" +
			`-d grant_type=client_credentials -d client_id="$LANYARD_CLIENT_ID" -d scope=` + scope + " \\\n" +
			`"$LANYARD_ISSUER/oauth2/token" | sed 's/.*"access_token": *"\([^"]*\)".*/\1/')`,
		connection + ` -H "Authorization: Bearer $TOKEN" "$LANYARD_ORDERS_URL/orders"`,
		"kubectl get lanyard -A",
		"kubectl lanyard check",
		"kubectl lanyard status -n " + shop + " checkout",
		"kubectl lanyard why " + clientID + " api://orders",
	}
}

// Run starts the demo, tells its story, and leaves it running.
func Run(ctx context.Context, o Options) error {
	d, release, err := Start(ctx, o)
	if err != nil {
		return err
	}
	defer release()
	told := d.Tell(ctx)
	if ctx.Err() != nil {
		return told
	}
	return errors.Join(told, d.Leave(ctx))
}
