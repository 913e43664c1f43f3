package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// startedTimeout is less than the second after which the kubelet gives up.
const startedTimeout = 900 * time.Millisecond

// started is the startup probe: it asks the sidecar beside it whether the app may start.
// It returns the exit code, 0 for yes, and says why not.
func started(args []string, out io.Writer) int {
	flags := pflag.NewFlagSet("started", pflag.ContinueOnError)
	flags.SetOutput(out)
	listen := flags.String("metrics-listen", defaultMetricsListen, "what the sidecar was started with")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	_, port, err := net.SplitHostPort(*listen)
	if err != nil {
		fmt.Fprintf(out, "--metrics-listen=%s: must be [<host>]:<port>, for example %s\n", *listen, defaultMetricsListen)
		return 2
	}
	client := http.Client{Timeout: startedTimeout}
	resp, err := client.Get("http://" + net.JoinHostPort("127.0.0.1", port) + "/startedz") //nolint:noctx // the client has a timeout
	if err != nil {
		fmt.Fprintf(out, "the sidecar does not answer: %v\n", err)
		return 1
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		return 0
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	fmt.Fprintln(out, strings.TrimSpace(string(text)))
	return 1
}
