//go:build e2e

package interop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

const systemNamespace = "lanyard-system"

// program is a process beside the cluster's own.
type program struct {
	name  string
	args  []string
	ready string // answers 2xx once it serves
}

// programs are controller and issuer, and the orders API, which the tokens are for.
func (w *world) programs() ([]program, error) {
	ports := map[string]int{}
	for _, name := range []string{"controller-metrics", "controller-health", "issuer-ops"} {
		port, err := cluster.Port(w.dir, name)
		if err != nil {
			return nil, err
		}
		ports[name] = port
	}
	listen := func(url string) string { return "--listen=" + strings.TrimPrefix(url, "https://") }
	serve := []string{"--tls-cert=" + w.path("server.crt"), "--tls-key=" + w.path("server.key")}
	lanyard := func(name string) []string {
		return []string{"--kubeconfig=" + w.kubeconfig(name), "--namespace=" + systemNamespace, "--client-secrets"}
	}
	return []program{
		{
			name: "controller",
			args: append(lanyard("controller"), "--allowed-issuers=ClusterIssuer/workload-ca",
				"--metrics-listen="+address(ports["controller-metrics"]), "--health-listen="+address(ports["controller-health"]), "--webhook-listen=0"),
			ready: "http://" + address(ports["controller-health"]) + "/readyz",
		},
		{
			name: "issuer",
			args: slices.Concat(lanyard("issuer"), serve, []string{
				"--issuer-url=" + w.issuer, listen(w.issuer), "--ops-listen=" + address(ports["issuer-ops"]), "--shutdown-delay=0s",
			}),
			ready: "http://" + address(ports["issuer-ops"]) + "/readyz",
		},
		{
			name: "orders",
			args: slices.Concat(serve, []string{
				"--issuer=" + w.issuer, "--issuer-ca=" + w.caFile(), "--audience=api://orders", listen(w.orders),
			}),
			ready: w.orders + "/healthz",
		},
	}, nil
}

func (w *world) kubeconfig(program string) string {
	return w.path("pki", "lanyard-"+program+".kubeconfig")
}

// startPrograms starts the programs, controller and issuer each as its service account.
func (w *world) startPrograms(ctx context.Context) error {
	programs, err := w.programs()
	if err != nil {
		return err
	}
	for _, p := range programs {
		err := w.cluster.UserKubeconfig(w.kubeconfig(p.name), "system:serviceaccount:"+systemNamespace+":lanyard-"+p.name,
			"system:serviceaccounts", "system:serviceaccounts:"+systemNamespace, "system:authenticated")
		if err != nil {
			return err
		}
		if err := w.launch(ctx, p); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, p := range programs {
		check := func(ctx context.Context) error { return w.answers(ctx, p.ready) }
		if err := w.cluster.Supervisor().WaitReady(ctx, p.name, check); err != nil {
			return err
		}
	}
	return nil
}

// launch starts a program, or starts it anew if it runs with other arguments.
func (w *world) launch(ctx context.Context, p program) error {
	return w.cluster.Supervisor().StartProcess(ctx, cluster.Process{Name: p.name, Path: w.path("bin", p.name), Args: p.args})
}

// answers is nil if the URL answers 2xx.
func (w *world) answers(ctx context.Context, url string) error {
	roots := x509.NewCertPool()
	roots.AddCert(w.ca.certificate)
	httpClient := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode/100 != 2 {
		body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
		return errors.Join(fmt.Errorf("%s answers %s: %s", url, response.Status, body), err)
	}
	return nil
}
