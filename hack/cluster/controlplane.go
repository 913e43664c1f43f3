package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// The processes, by their names in the state folder.
const (
	etcd              = "etcd"
	apiserver         = "kube-apiserver"
	controllerManager = "kube-controller-manager"
	certManager       = "certmanager-controllers"
)

const (
	// serviceAccountIssuer is what stands in "iss" of service accounts' tokens, and is, as
	// nothing else is said, their audience too.
	serviceAccountIssuer = "https://kubernetes.default.svc.cluster.local"
	// serviceRange is where Services get their addresses; nothing answers at them here.
	serviceRange = "10.96.0.0/16"
)

// coreProcesses are the processes of the cluster in the order of their start.
func (c *Cluster) coreProcesses() ([]Process, error) {
	ports := map[string]int{}
	for _, name := range []string{etcd, "etcd-peer", apiserver} {
		port, err := Port(c.stateDir, name)
		if err != nil {
			return nil, err
		}
		ports[name] = port
	}
	etcdURL := "https://" + loopback(ports[etcd])
	processes := []Process{
		{Name: etcd, Path: c.assets.Path(etcd), KillAtOnce: true, Args: c.etcdArgs(etcdURL, "https://"+loopback(ports["etcd-peer"]))},
		{Name: apiserver, Path: c.assets.Path(apiserver), KillAtOnce: true, Args: c.apiserverArgs(etcdURL, ports[apiserver])},
		{
			Name: controllerManager, Path: c.assets.Path(controllerManager), KillAtOnce: true,
			Args: append(controllerManagerArgs(c.kubeconfigOf(controllerManager), c.pkiFile("ca.crt"), c.controllers()...),
				"--service-account-private-key-file="+c.pkiFile("service-account.key")),
		},
		{
			Name: certManager, Path: c.assets.Path(certManager),
			Args: certManagerArgs(c.kubeconfigOf(certManager), c.readyFile()),
		},
	}
	if c.node != nil {
		for i := range processes {
			processes[i].Through = c.entrance()
		}
	}
	return processes, nil
}

// readyFile is written by cert-manager's controllers when their caches are filled.
func (c *Cluster) readyFile() string { return filepath.Join(c.stateDir, certManager+".ready") }

func (c *Cluster) etcdArgs(client, peer string) []string {
	return []string{
		"--name=local", "--data-dir=" + filepath.Join(c.stateDir, "etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=local=" + peer,
		// etcd has every secret of the cluster and no users of its own, and loopback
		// belongs to everybody on the machine.
		"--client-cert-auth", "--trusted-ca-file=" + c.pkiFile("etcd-ca.crt"),
		"--cert-file=" + c.pkiFile("etcd.crt"), "--key-file=" + c.pkiFile("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + c.pkiFile("etcd-ca.crt"),
		"--peer-cert-file=" + c.pkiFile("etcd.crt"), "--peer-key-file=" + c.pkiFile("etcd.key"),
		// What was written stays in the kernel's page cache when the process is killed; only
		// a crash of the machine loses it.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}

func (c *Cluster) apiserverArgs(etcdURL string, port int) []string {
	args := []string{
		"--etcd-servers=" + etcdURL, "--etcd-cafile=" + c.pkiFile("etcd-ca.crt"),
		"--etcd-certfile=" + c.pkiFile("etcd.crt"), "--etcd-keyfile=" + c.pkiFile("etcd.key"),
		fmt.Sprintf("--secure-port=%d", port),
		"--tls-cert-file=" + c.pkiFile(apiserver+".crt"), "--tls-private-key-file=" + c.pkiFile(apiserver+".key"),
		"--client-ca-file=" + c.pkiFile("ca.crt"),
		"--service-account-issuer=" + serviceAccountIssuer,
		"--service-account-key-file=" + c.pkiFile("service-account.crt"),
		"--service-account-signing-key-file=" + c.pkiFile("service-account.key"),
		"--service-cluster-ip-range=" + serviceRange,
		"--allow-privileged=true",
		"--profiling=false",
	}
	if c.node != nil {
		args = append(args, c.nodeAPIServerArgs()...)
	} else {
		args = append(args,
			"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1",
			// A loopback address is not allowed in the endpoints of the Service "kubernetes".
			"--endpoint-reconciler-type=none",
			"--authorization-mode=RBAC")
	}
	if c.authentication != "" {
		args = append(args, "--authentication-config="+c.authentication)
	}
	return args
}

// withoutNodes are the controllers that a cluster without nodes has a use for.
const withoutNodes = "--controllers=serviceaccount-controller,root-ca-certificate-publisher-controller," +
	"garbage-collector-controller,namespace-controller,clusterrole-aggregation-controller"

func (c *Cluster) controllers() []string {
	if c.node == nil {
		return []string{withoutNodes}
	}
	return []string{
		"--controllers=*",
		// A stopped API server is no sign that the node is gone: elsewhere its replicas, and the
		// new leader that comes after an outage, see to that.
		"--node-monitor-grace-period=10m",
	}
}

func controllerManagerArgs(kubeconfig, rootCA string, controllers ...string) []string {
	return append([]string{
		"--kubeconfig=" + kubeconfig,
		"--root-ca-file=" + rootCA,
		"--leader-elect=false",
		"--secure-port=0", // nobody asks it anything
		"--profiling=false",
		// Its limit of 20 requests a second is for clusters that others use too.
		"--kube-api-qps=200", "--kube-api-burst=400",
	}, controllers...)
}

func certManagerArgs(kubeconfig, readyFile string) []string {
	return []string{"--kubeconfig=" + kubeconfig, "--ready-file=" + readyFile, "-v=2"}
}

// readiness returns what must hold before the process of that name counts as started.
func (c *Cluster) readiness(name string) func(context.Context) error {
	switch name {
	case etcd:
		return c.etcdReady
	case apiserver:
		return c.apiserverReady
	case controllerManager:
		return func(ctx context.Context) error { return whenConfigured(ctx, c.Kubeconfig(), controllerManagerReady) }
	case certManager:
		return func(context.Context) error { return fileExists(c.readyFile()) }
	default:
		return c.nodeReadiness(name)
	}
}

func fileExists(path string) error {
	_, err := os.Stat(path)
	return err
}

func (c *Cluster) etcdReady(ctx context.Context) error {
	port, err := Port(c.stateDir, etcd)
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.pkiFile("etcd.crt"), c.pkiFile("etcd.key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(c.pkiFile("etcd-ca.crt"))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+loopback(port)+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		body, err := io.ReadAll(io.LimitReader(response.Body, tailBytes))
		return errors.Join(fmt.Errorf("/readyz answers %s: %s", response.Status, body), err)
	}
	return nil
}

func (c *Cluster) apiserverReady(ctx context.Context) error {
	return whenConfigured(ctx, c.Kubeconfig(), func(ctx context.Context, config *rest.Config) error {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		body, err := client.RESTClient().Get().AbsPath("/readyz").Param("verbose", "").DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("/readyz: %w\n%s", err, lastLines(string(body)))
		}
		return nil
	})
}
