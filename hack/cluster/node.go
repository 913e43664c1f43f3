package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/lanyard-dev/lanyard/hack/image"
)

// Node is a cluster with a node that runs pods.
type Node struct {
	cluster *Cluster
	config  *rest.Config
}

// NodeOptions say what [StartNode] starts, and where.
type NodeOptions struct {
	// StateDir keeps everything that the node is. Keep it private: it holds the
	// administrator's key, and what containers write.
	StateDir string
	// Assets are the binaries, from [BuildNode]; its zero value builds them. In the namespace
	// of a node no modules can be downloaded: call BuildNode before [EnterNode].
	Assets NodeAssets
	// Progress is told what is being started; nil tells nobody.
	Progress io.Writer
}

// StartNode makes sure that the node of a state folder runs and is ready: what [Start] starts,
// and containerd, kube-scheduler, kubelet, kube-proxy, and CoreDNS as a Deployment. What runs
// already is left alone. All of it outlives the caller: end it with [Node.Down].
//
// This process must be in the node's network namespace, where [EnterNode] puts it.
func StartNode(ctx context.Context, opts NodeOptions) (*Node, error) {
	progress := opts.Progress
	if progress == nil {
		progress = io.Discard
	}
	c, err := openNode(opts.StateDir)
	if err != nil {
		return nil, err
	}
	if c.node.assets = opts.Assets; opts.Assets.NodeDir == "" {
		if c.node.assets, err = BuildNode(ctx, progress); err != nil {
			return nil, err
		}
	}
	c.assets = c.node.assets.Assets
	unlock, err := c.lock(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := c.prepareNode(time.Now()); err != nil {
		return nil, err
	}
	if err := c.startNode(ctx, progress); err != nil {
		return nil, err
	}
	return newNode(c)
}

// LoadNode returns the node that runs in a state folder, started by another process.
func LoadNode(stateDir string) (*Node, error) {
	c, err := openNode(stateDir)
	if err != nil {
		return nil, err
	}
	return newNode(c)
}

// openNode finds a node whose namespaces this process is in.
func openNode(stateDir string) (*Cluster, error) {
	absolute, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{stateDir: absolute}
	if !c.Supervisor().Alive(namespaces) {
		return nil, fmt.Errorf("no node runs in %s: call EnterNode first, or start one (make cluster-node)", absolute)
	}
	r, err := c.Supervisor().read(namespaces)
	if err != nil {
		return nil, err
	}
	if inside, err := c.inside(r.PID); err != nil || !inside {
		return nil, errors.Join(fmt.Errorf("this process is outside the network of the node in %s, and could not reach it: call EnterNode first", absolute), err)
	}
	groups, err := cgroupsOf(absolute)
	if err != nil {
		return nil, err
	}
	c.node = &nodeParts{cgroups: groups}
	return c, nil
}

func newNode(c *Cluster) (*Node, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	return &Node{cluster: c, config: config}, nil
}

func (c *Cluster) startNode(ctx context.Context, progress io.Writer) error {
	kind, err := c.chooseIptables(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "iptables: taking %s\n", kind)
	runtime, others, err := c.nodeProcesses()
	if err != nil {
		return err
	}
	if err := c.launch(ctx, runtime, progress); err != nil {
		return err
	}
	if err := c.start(ctx, progress); err != nil {
		return err
	}
	if err := c.waitReady(ctx, containerd, progress); err != nil {
		return err
	}
	for _, p := range others {
		if err := c.launch(ctx, p, progress); err != nil {
			return err
		}
	}
	if err := c.importOwnImages(ctx, progress); err != nil {
		return err
	}
	for _, p := range others {
		if err := c.waitReady(ctx, p.Name, progress); err != nil {
			return err
		}
	}
	return c.startCoreDNS(ctx, progress)
}

// importOwnImages makes images of the node's own programs, and imports them.
func (c *Cluster) importOwnImages(ctx context.Context, progress io.Writer) error {
	for _, program := range []string{"pause", "coredns"} {
		path := filepath.Join(c.stateDir, program+".tar")
		archive, err := os.Create(path)
		if err != nil {
			return err
		}
		entrypoint := "/" + program
		binaries := map[string]string{entrypoint: filepath.Join(c.node.assets.NodeDir, program)}
		err = image.Write(archive, "docker.io/local/"+program+":1", binaries, image.Options{Entrypoint: []string{entrypoint}})
		if err := errors.Join(err, archive.Close()); err != nil {
			return err
		}
		if err := errors.Join(c.importArchive(ctx, path), os.Remove(path)); err != nil {
			return err
		}
	}
	fmt.Fprintln(progress, "images: pause and CoreDNS are imported")
	return nil
}

func (c *Cluster) startCoreDNS(ctx context.Context, progress io.Writer) error {
	manifest, err := nodeFiles.ReadFile("node/coredns.yaml")
	if err != nil {
		return err
	}
	objects, err := decodeManifest(bytes.NewReader(manifest))
	if err != nil {
		return err
	}
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := apply(ctx, client, object); err != nil {
			return err
		}
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := poll(ctx, c.coreDNSReady); err != nil {
		return err
	}
	fmt.Fprintf(progress, "CoreDNS: ready after %s\n", time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// Config is the administrator's.
func (n *Node) Config() *rest.Config { return rest.CopyConfig(n.config) }

// Kubeconfig is the path of the administrator's kubeconfig (group system:masters). It can be used
// in the node's network only.
func (n *Node) Kubeconfig() string { return n.cluster.Kubeconfig() }

// Kubectl is the path of a kubectl that works from anywhere on this machine, as root: it enters
// the node's network, and has the administrator's kubeconfig unless told otherwise.
func (n *Node) Kubectl() string {
	return filepath.Join(filepath.Dir(n.cluster.inNode()), "kubectl")
}

// UserKubeconfig is [Cluster.UserKubeconfig].
func (n *Node) UserKubeconfig(path, username string, groups ...string) error {
	return n.cluster.UserKubeconfig(path, username, groups...)
}

// Supervisor runs the node's processes: their names, logs and PIDs.
func (n *Node) Supervisor() *Supervisor { return n.cluster.Supervisor() }

// Import gives the container runtime an image of an archive (OCI or docker). Nothing is pulled on
// a node: use imagePullPolicy Never, or IfNotPresent.
func (n *Node) Import(ctx context.Context, archive string) error {
	return n.cluster.importArchive(ctx, archive)
}

func (c *Cluster) importArchive(ctx context.Context, path string) error {
	archive, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = archive.Close() }()
	if err := c.ctr(ctx, archive, "--namespace=k8s.io", "images", "import", "-"); err != nil {
		return fmt.Errorf("importing %s: %w", path, err)
	}
	return nil
}

// ctr runs containerd's own client.
func (c *Cluster) ctr(ctx context.Context, stdin io.Reader, args ...string) error {
	cmd := exec.CommandContext(ctx, c.entrance(), append([]string{"ctr"}, args...)...)
	var output bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &output, &output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, lastLines(output.String()))
	}
	return nil
}

// Stop kills one of the node's processes, "kube-apiserver" for example. Containers go on without
// containerd and kubelet.
func (n *Node) Stop(ctx context.Context, name string) error {
	unlock, err := n.cluster.lock(ctx, io.Discard)
	if err != nil {
		return err
	}
	defer unlock()
	return n.cluster.Supervisor().StopProcess(ctx, name)
}

// Start starts a process that was stopped, or has died, as it was started before, and returns
// when it is ready. One that runs is left alone.
func (n *Node) Start(ctx context.Context, name string) error {
	unlock, err := n.cluster.lock(ctx, io.Discard)
	if err != nil {
		return err
	}
	defer unlock()
	if !n.cluster.Supervisor().Alive(name) {
		if err := n.cluster.forgetReady(name); err != nil {
			return err
		}
		if err := n.cluster.Supervisor().Restart(ctx, name); err != nil {
			return err
		}
	}
	return n.cluster.waitReady(ctx, name, io.Discard)
}

// Down is [RemoveNode].
func (n *Node) Down(ctx context.Context) error { return RemoveNode(ctx, n.cluster.stateDir) }

// RemoveNode ends everything that was started on the node of a state folder, containers too, and
// removes every trace of it: processes, cgroups, namespaces with their mounts and interfaces, and
// the state folder. It needs nothing but that folder, so it works after a crash as well, and may
// be called from any network namespace, again and again. A folder that is not there is no error.
func RemoveNode(ctx context.Context, stateDir string) error {
	stateDir, err := filepath.Abs(stateDir)
	if err != nil {
		return err
	}
	if err := fileExists(stateDir); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := fileExists(filepath.Join(stateDir, marker)); err != nil {
		return fmt.Errorf("%s is not the state folder of a node, and stays as it is: %w", stateDir, err)
	}
	c := &Cluster{stateDir: stateDir}
	unlock, err := c.lock(ctx, io.Discard)
	if err != nil {
		return err
	}
	defer unlock()
	groups, err := cgroupsOf(stateDir)
	if err != nil {
		return err
	}
	// The last one started first, so the namespaces' holder is last. Whatever is in the cgroups
	// then is a container, or what keeps one.
	if err := errors.Join(c.Supervisor().StopAll(ctx), groups.end(ctx)); err != nil {
		return err
	}
	// With the last process its mounts are gone.
	return os.RemoveAll(stateDir)
}
