package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// readyTimeout bounds the wait for one process, on a machine that is busy with other things.
const readyTimeout = 2 * time.Minute

// Cluster is a local cluster in a state folder.
type Cluster struct {
	stateDir       string
	assets         Assets
	authentication string
	// node is nil for a control plane alone.
	node *nodeParts
}

// Options say what [Start] starts, and where.
type Options struct {
	// StateDir keeps everything that the cluster is: ports, keys, data, logs. It is made if
	// it is missing. Keep it private: it holds the administrator's key.
	StateDir string
	// Assets are the binaries, from [Build].
	Assets Assets
	// AuthenticationConfig is the file of an AuthenticationConfiguration
	// (apiserver.config.k8s.io) that says which JWT issuers kube-apiserver trusts beside the
	// cluster's own. It is read by kube-apiserver, which refuses to start if it is wrong, and
	// looks at it again every minute. Empty: none.
	AuthenticationConfig string
	// Progress is told what is being started; nil tells nobody.
	Progress io.Writer
}

// Open returns the cluster of a state folder as it is, without starting anything.
func Open(stateDir string) (*Cluster, error) {
	absolute, err := filepath.Abs(stateDir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(absolute); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no cluster in %s: start one there first", absolute)
	}
	return &Cluster{stateDir: absolute}, nil
}

// Start makes sure that the cluster of a state folder runs and is ready: etcd, kube-apiserver,
// kube-controller-manager, cert-manager's CRDs, policies and controllers. What runs already is
// left alone, what has died is started again, with the same ports, identities and data. The
// processes outlive the caller: end them with [Cluster.Stop].
//
// An error names the process that did not become ready, what was last seen of it, and the end
// of its log.
func Start(ctx context.Context, opts Options) (*Cluster, error) {
	stateDir, err := filepath.Abs(opts.StateDir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{stateDir: stateDir, assets: opts.Assets}
	if opts.AuthenticationConfig != "" {
		if c.authentication, err = filepath.Abs(opts.AuthenticationConfig); err != nil {
			return nil, err
		}
	}
	progress := opts.Progress
	if progress == nil {
		progress = io.Discard
	}
	unlock, err := c.lock(ctx, progress)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := c.ensureIdentities(time.Now()); err != nil {
		return nil, err
	}
	return c, c.start(ctx, progress)
}

func (c *Cluster) start(ctx context.Context, progress io.Writer) error {
	processes, err := c.coreProcesses()
	if err != nil {
		return err
	}
	// etcd first, because kube-apiserver gives up without it; the other two last and side by
	// side, because both need the API.
	for _, p := range processes[:2] {
		if err := c.launch(ctx, p, progress); err != nil {
			return err
		}
		if err := c.waitReady(ctx, p.Name, progress); err != nil {
			return err
		}
	}
	if err := c.launch(ctx, processes[2], progress); err != nil {
		return err
	}
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	fmt.Fprintln(progress, "cert-manager: installing its CRDs and policies")
	if err := InstallCertManager(ctx, config, c.assets); err != nil {
		return err
	}
	if err := c.launch(ctx, processes[3], progress); err != nil {
		return err
	}
	return errors.Join(c.waitReady(ctx, controllerManager, progress), c.waitReady(ctx, certManager, progress))
}

// launch starts a process unless it runs.
func (c *Cluster) launch(ctx context.Context, p Process, progress io.Writer) error {
	supervisor := c.Supervisor()
	if supervisor.Alive(p.Name) {
		return supervisor.StartProcess(ctx, p) // starts it anew if its arguments have changed
	}
	if err := c.checkPort(p.Name); err != nil {
		return err
	}
	if err := c.forgetReady(p.Name); err != nil {
		return err
	}
	fmt.Fprintf(progress, "%s: starting\n", p.Name)
	return supervisor.StartProcess(ctx, p)
}

// checkPort says so if another program has taken the port while the process did not run.
func (c *Cluster) checkPort(name string) error {
	if name != etcd && name != apiserver {
		return nil
	}
	port, err := Port(c.stateDir, name)
	if err != nil {
		return err
	}
	if !portIsFree(port) {
		return fmt.Errorf("%s cannot start: another program listens on its port, %s (kept in %s/ports.json); "+
			"end that program, or start over with another state folder", name, loopback(port), c.stateDir)
	}
	return nil
}

// forgetReady removes what an earlier instance has left to say that it was ready.
func (c *Cluster) forgetReady(name string) error {
	if name != certManager {
		return nil
	}
	if err := os.Remove(c.readyFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (c *Cluster) waitReady(ctx context.Context, name string, progress io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	begun := time.Now()
	if err := c.Supervisor().WaitReady(ctx, name, c.readiness(name)); err != nil {
		return err
	}
	fmt.Fprintf(progress, "%s: ready after %s\n", name, time.Since(begun).Round(10*time.Millisecond))
	return nil
}

// Restart ends one process of the state folder and starts it as it was started. It returns
// when a process of the cluster itself is ready again.
func (c *Cluster) Restart(ctx context.Context, name string, progress io.Writer) error {
	unlock, err := c.lock(ctx, progress)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.forgetReady(name); err != nil {
		return err
	}
	if err := c.Supervisor().Restart(ctx, name); err != nil {
		return err
	}
	return c.waitReady(ctx, name, progress)
}

// Stop ends every process of the state folder, also those that others have started there with
// [Cluster.Supervisor], the last one first. The data stays: [Start] goes on with it.
func (c *Cluster) Stop(ctx context.Context, progress io.Writer) error {
	unlock, err := c.lock(ctx, progress)
	if err != nil {
		return err
	}
	defer unlock()
	return c.Supervisor().StopAll(ctx)
}

// Supervisor runs the cluster's processes, and can run more beside them.
func (c *Cluster) Supervisor() *Supervisor { return Supervise(c.stateDir) }

// StateDir is the absolute path of the state folder.
func (c *Cluster) StateDir() string { return c.stateDir }

// BinDir is the folder of the binaries that the cluster was last started from, kubectl among
// them; empty if it never was.
func (c *Cluster) BinDir() string {
	r, err := c.Supervisor().read(apiserver)
	if err != nil {
		return ""
	}
	return filepath.Dir(r.Path)
}

// RESTConfig is the administrator's.
func (c *Cluster) RESTConfig() (*rest.Config, error) { return restConfig(c.Kubeconfig()) }

func restConfig(kubeconfig string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1 // the server is ours: it says itself when it is too much
	return config, nil
}

// lock keeps other commands from starting or ending processes in the folder meanwhile.
func (c *Cluster) lock(ctx context.Context, progress io.Writer) (unlock func(), err error) {
	return lock(ctx, filepath.Join(c.stateDir, "lock"), func() {
		fmt.Fprintf(progress, "another command works on the cluster in %s; waiting for it\n", c.stateDir)
	})
}
