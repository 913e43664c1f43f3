package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/lanyard-dev/lanyard/hack/cluster"
)

const (
	// readyTimeout bounds the wait for one program, on a machine that is busy with other things.
	readyTimeout = 2 * time.Minute
	// systemNamespace is where Lanyard runs.
	systemNamespace = "lanyard-system"
)

// program is a process of the demo beside the cluster's own.
type program struct {
	cluster.Process
	// ports that it listens on.
	ports []int
	// ready is where it answers 2xx once it serves.
	ready string
	// leads is where its metrics say whether it holds its Lease; empty: it needs none.
	leads string
}

// ports are those of the demo's programs; the state folder keeps them, so that addresses stay
// true over restarts.
type ports struct{ issuer, issuerOps, controllerMetrics, controllerHealth, webhook, orders int }

func (d *Demo) ports() (ports, error) {
	var p ports
	for name, port := range map[string]*int{
		"issuer": &p.issuer, "issuer-ops": &p.issuerOps, "orders": &p.orders,
		"controller-metrics": &p.controllerMetrics, "controller-health": &p.controllerHealth, "webhook": &p.webhook,
	} {
		var err error
		if *port, err = cluster.Port(d.dir, name); err != nil {
			return p, err
		}
	}
	return p, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// issuerURL is the issuer's identifier, ordersURL where the orders API answers, and webhookURL
// where the API server asks the controller.
func (p ports) issuerURL() string  { return "https://" + address(p.issuer) }
func (p ports) ordersURL() string  { return "https://" + address(p.orders) }
func (p ports) webhookURL() string { return "https://" + address(p.webhook) }

// programs are the demo's own, in the order of their start.
func (d *Demo) programs() ([]program, error) {
	p, err := d.ports()
	if err != nil {
		return nil, err
	}
	return []program{
		{
			Process: cluster.Process{Name: "controller", Args: []string{
				"--kubeconfig=" + d.path("pki", "lanyard-controller.kubeconfig"), "--namespace=" + systemNamespace,
				"--allowed-issuers=ClusterIssuer/workload-ca",
				"--metrics-listen=" + address(p.controllerMetrics), "--health-listen=" + address(p.controllerHealth),
				"--webhook-listen=" + address(p.webhook), "--shutdown-delay=0s",
				"--webhook-tls-cert=" + d.path("tls", "webhook", "tls.crt"), "--webhook-tls-key=" + d.path("tls", "webhook", "tls.key"),
			}},
			ports: []int{p.controllerMetrics, p.controllerHealth, p.webhook},
			ready: "http://" + address(p.controllerHealth) + "/readyz",
			leads: "http://" + address(p.controllerMetrics) + "/metrics",
		},
		{
			Process: cluster.Process{Name: "issuer", Args: []string{
				"--kubeconfig=" + d.path("pki", "lanyard-issuer.kubeconfig"), "--namespace=" + systemNamespace,
				"--issuer-url=" + p.issuerURL(), "--listen=" + address(p.issuer), "--ops-listen=" + address(p.issuerOps),
				"--tls-cert=" + d.path("tls", "issuer", "tls.crt"), "--tls-key=" + d.path("tls", "issuer", "tls.key"),
				"--shutdown-delay=0s", // nobody balances load here
			}},
			ports: []int{p.issuer, p.issuerOps},
			ready: "http://" + address(p.issuerOps) + "/readyz",
		},
		{
			Process: cluster.Process{Name: "orders", Args: []string{
				"--issuer=" + p.issuerURL(), "--issuer-ca=" + d.path("tls", "issuer", "ca.crt"),
				"--audience=api://orders", "--listen=" + address(p.orders),
				"--tls-cert=" + d.path("tls", "orders", "tls.crt"), "--tls-key=" + d.path("tls", "orders", "tls.key"),
			}},
			ports: []int{p.orders},
			ready: p.ordersURL() + "/healthz",
		},
	}, nil
}

// runPrograms starts the programs that do not run, or whose build has changed, and waits until
// all are ready.
func (d *Demo) runPrograms(ctx context.Context) error {
	p, err := d.ports()
	if err != nil {
		return err
	}
	d.tell.chapter("Running Lanyard", fmt.Sprintf("The controller keeps the status of Lanyard's objects true, and answers the API server's questions about them; the issuer, "+
		"at %s, gives tokens; the orders API, at %s, is what the tokens are for. Controller and issuer "+
		"use the cluster as their service accounts, with the permissions of config/rbac and no others.", p.issuerURL(), p.ordersURL()))
	programs, err := d.programs()
	if err != nil {
		return err
	}
	for _, p := range programs {
		if err := d.launch(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range programs {
		if err := d.waitReady(ctx, p); err != nil {
			return err
		}
	}
	if err := d.waitLeading(ctx, programs[0]); err != nil {
		return err
	}
	config, err := d.cluster.RESTConfig()
	if err != nil {
		return err
	}
	return cluster.WaitForWebhooks(ctx, config)
}

func (d *Demo) launch(ctx context.Context, p program) error {
	p.Path = d.path("bin", p.Name)
	build, err := fingerprint(p.Path)
	if err != nil {
		return err
	}
	// Supervisor starts a process anew if what it is run with has changed; so this makes it
	// notice another build.
	p.Env = []string{"LANYARD_DEMO_BUILD=" + build}
	if p.Name != "orders" { // the orders API knows nothing of the cluster
		if err := d.ensureKubeconfig(p.Name); err != nil {
			return err
		}
	}
	supervisor := d.cluster.Supervisor()
	if !supervisor.Alive(p.Name) {
		for _, port := range p.ports {
			if err := d.checkPort(ctx, p.Name, port); err != nil {
				return err
			}
		}
		d.tell.line("%s: starting", p.Name)
	}
	return supervisor.StartProcess(ctx, p.Process)
}

// ensureKubeconfig lets a program be its service account, and nothing more.
func (d *Demo) ensureKubeconfig(name string) error {
	path := d.path("pki", "lanyard-"+name+".kubeconfig")
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.cluster.UserKubeconfig(path, "system:serviceaccount:"+systemNamespace+":lanyard-"+name,
		"system:serviceaccounts", "system:serviceaccounts:"+systemNamespace, "system:authenticated")
}

// checkPort says so if another program has taken the port meanwhile.
func (d *Demo) checkPort(ctx context.Context, name string, port int) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address(port))
	if err != nil {
		return fmt.Errorf("%s cannot start: another program listens on its port, %s (kept in %s); end that program, "+
			"or start over with make demo-down and make demo", name, address(port), d.typed("ports.json"))
	}
	return listener.Close()
}

// waitReady waits until the program serves. The error has the end of its log.
func (d *Demo) waitReady(ctx context.Context, p program) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	begun := time.Now()
	err := d.tell.working(p.Name+" is starting", func() error {
		return d.cluster.Supervisor().WaitReady(ctx, p.Name, func(ctx context.Context) error {
			_, err := d.get(ctx, p.ready)
			return err
		})
	})
	if err == nil {
		d.tell.line("%s: ready after %s", p.Name, time.Since(begun).Round(10*time.Millisecond))
	}
	return err
}

// waitLeading waits until the program holds its Lease, without which it does no work. One that
// was killed could not give it back, so that it has to run out first, which takes 15 s and a bit.
func (d *Demo) waitLeading(ctx context.Context, p program) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	const leading = `leader_election_master_status{name="lanyard-controller"} 1`
	return d.tell.working(p.Name+" waits for its Lease, which a killed one holds for about 15 s more", func() error {
		return d.cluster.Supervisor().WaitReady(ctx, p.Name, func(ctx context.Context) error {
			metrics, err := d.get(ctx, p.leads)
			if err == nil && !strings.Contains(metrics, leading) {
				err = errors.New("it does not hold the Lease lanyard-controller")
			}
			return err
		})
	})
}

// get returns what a URL answers; what is not 2xx is an error.
func (d *Demo) get(ctx context.Context, url string) (string, error) {
	httpClient, err := d.httpClient("")
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err == nil && response.StatusCode/100 != 2 {
		err = fmt.Errorf("%s answers %s: %s", url, response.Status, body)
	}
	return string(body), err
}
