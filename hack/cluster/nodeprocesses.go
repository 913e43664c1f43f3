package cluster

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"text/template"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

//go:embed node
var nodeFiles embed.FS

// A node's own processes, by their names in the state folder.
const (
	containerd = "containerd"
	scheduler  = "kube-scheduler"
	kubelet    = "kubelet"
	proxy      = "kube-proxy"
)

const (
	// nodeName is what the node is called among the Nodes of its cluster.
	nodeName = "node"
	// nodeAddress is where the API server and the kubelet are: see node/namespaces.sh.
	nodeAddress = "10.200.0.1"
	// proxyHealth is where kube-proxy says that its rules are written.
	proxyHealth = "127.0.0.1:10256"
)

// nodeParts are what a node is beside its control plane.
type nodeParts struct {
	assets  NodeAssets
	cgroups cgroups
}

// nodePorts are fixed: in its own network namespace a node is alone.
func nodePorts() map[string]int {
	return map[string]int{etcd: 2379, "etcd-peer": 2380, apiserver: 6443}
}

// prepareNode writes the ports, identities and files of the node's processes.
func (c *Cluster) prepareNode(now time.Time) error {
	ports, err := json.Marshal(nodePorts())
	if err != nil {
		return err
	}
	if err := writeFileAtomically(filepath.Join(c.stateDir, "ports.json"), ports); err != nil {
		return err
	}
	if err := c.ensureIdentities(now); err != nil {
		return err
	}
	ca, err := openAuthority(c.pki(), "ca", now)
	if err != nil {
		return err
	}
	return errors.Join(
		ensureKeyPair(c.pki(), kubelet, func() (keyPair, error) { return ca.server(kubelet, nil, now) }),
		ensureKeyPair(c.pki(), "kubelet-client", func() (keyPair, error) {
			return ca.client("kube-apiserver-kubelet-client", []string{"system:masters"}, now)
		}),
		c.ensureKubeconfig(c.kubeconfigOf(kubelet), "system:node:"+nodeName, "system:nodes"),
		c.ensureKubeconfig(c.kubeconfigOf(proxy), "system:kube-proxy"),
		c.ensureKubeconfig(c.kubeconfigOf(scheduler), "system:kube-scheduler"),
		c.render("containerd.toml", c.nodeFile("containerd.toml")),
		c.render("kubelet.yaml", c.nodeFile("kubelet.yaml")),
		c.render("pods.conflist", filepath.Join(c.stateDir, "cni", "pods.conflist")),
		writeScript(filepath.Join(filepath.Dir(c.inNode()), "kubectl"),
			fmt.Sprintf("#!/bin/sh\nexec %s %s \"$@\"\n", quote(c.inNode()), quote(c.node.assets.Path("kubectl")))),
	)
}

func (c *Cluster) nodeFile(name string) string { return filepath.Join(c.stateDir, "config", name) }

// render writes a file of the folder node, with what differs from node to node filled in.
func (c *Cluster) render(name, path string) error {
	parsed, err := template.ParseFS(nodeFiles, "node/"+name)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	values := map[string]string{"State": c.stateDir, "PKI": c.pki(), "Cgroup": c.node.cgroups.name}
	if err := parsed.Execute(&text, values); err != nil {
		return err
	}
	return writeFileAtomically(path, text.Bytes())
}

// nodeAPIServerArgs are what kube-apiserver has on a node: an address that pods reach, and the
// rules that hold a kubelet to what runs on it.
func (c *Cluster) nodeAPIServerArgs() []string {
	return []string{
		"--bind-address=0.0.0.0", "--advertise-address=" + nodeAddress,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-certificate-authority=" + c.pkiFile("ca.crt"),
		"--kubelet-client-certificate=" + c.pkiFile("kubelet-client.crt"),
		"--kubelet-client-key=" + c.pkiFile("kubelet-client.key"),
	}
}

// nodeProcesses are the processes of a node beside those of its control plane. They lose nothing
// by being killed: what they know stands in the API server.
func (c *Cluster) nodeProcesses() (runtime Process, others []Process, err error) {
	path, err := lookUpProgram(containerd)
	if err != nil {
		return Process{}, nil, err
	}
	extra := func(name string, args ...string) Process {
		return Process{
			Name: name, Path: filepath.Join(c.node.assets.NodeDir, name), Through: c.entrance(), KillAtOnce: true,
			Args: append([]string{"--kubeconfig=" + c.kubeconfigOf(name)}, args...),
		}
	}
	runtime = Process{Name: containerd, Path: path, Through: c.entrance(), KillAtOnce: true, Args: []string{"--config=" + c.nodeFile("containerd.toml")}}
	return runtime, []Process{
		extra(scheduler, "--leader-elect=false", "--secure-port=0", "--profiling=false"),
		extra(kubelet, "--config="+c.nodeFile("kubelet.yaml"), "--hostname-override="+nodeName, "--node-ip="+nodeAddress),
		extra(proxy, "--proxy-mode=iptables", "--hostname-override="+nodeName, "--healthz-bind-address="+proxyHealth,
			// The machine's sysctls are not a node's to write.
			"--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s", "--conntrack-tcp-timeout-close-wait=0s"),
	}, nil
}

// nodeReadiness is [Cluster.readiness] for what only a node has.
func (c *Cluster) nodeReadiness(name string) func(context.Context) error {
	switch name {
	case containerd:
		return func(ctx context.Context) error { return c.ctr(ctx, nil, "version") }
	case kubelet:
		return c.nodeReady
	case proxy:
		return proxyReady
	default:
		return func(context.Context) error { return nil }
	}
}

// nodeReady answers nil once pods can be scheduled.
func (c *Cluster) nodeReady(ctx context.Context) error {
	return whenConfigured(ctx, c.Kubeconfig(), func(ctx context.Context, config *rest.Config) error {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		node, err := client.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, taint := range node.Spec.Taints {
			return fmt.Errorf("the node has the taint %s", taint.Key)
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status != corev1.ConditionTrue {
				return fmt.Errorf("the node is not ready: %s: %s", condition.Reason, condition.Message)
			}
		}
		return nil
	})
}

func proxyReady(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+proxyHealth+"/healthz", nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Timeout: time.Second}).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("/healthz answers %s", response.Status)
	}
	return nil
}

// coreDNSReady answers nil once names of the cluster can be looked up.
func (c *Cluster) coreDNSReady(ctx context.Context) error {
	return whenConfigured(ctx, c.Kubeconfig(), func(ctx context.Context, config *rest.Config) error {
		client, err := kubernetes.NewForConfig(config)
		if err != nil {
			return err
		}
		deployment, err := client.AppsV1().Deployments(metav1.NamespaceSystem).Get(ctx, "coredns", metav1.GetOptions{})
		if err != nil {
			return err
		}
		if deployment.Status.AvailableReplicas == 0 {
			return errors.New("CoreDNS is not available")
		}
		return nil
	})
}
