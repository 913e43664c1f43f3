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
	"runtime"
	"sync"
	"syscall"

	"k8s.io/client-go/rest"
)

// StartCertManager runs cert-manager's controllers as a child of this process, for tests on
// envtest, and returns when their caches are filled. [InstallCertManager] comes first. The
// kubeconfig should be that of [CertManagerUser] with [CertManagerGroups]: who it names stands
// in spec.username of every CertificateRequest.
//
// The child ends with stop, with ctx, or with this process, whichever is first. stop returns
// when it is gone and may be called more than once.
func StartCertManager(ctx context.Context, assets Assets, kubeconfigPath string, log io.Writer) (stop func(), err error) {
	dir, err := os.MkdirTemp("", "lanyard-certmanager-*")
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "ready")
	return StartChild(ctx, Child{
		Path:    assets.Path(certManager),
		Args:    certManagerArgs(kubeconfigPath, ready),
		Log:     log,
		Ready:   func(context.Context) error { return fileExists(ready) },
		cleanUp: func() { _ = os.RemoveAll(dir) },
	})
}

// StartControllerManager runs kube-controller-manager as a child of this process, for tests on
// envtest: service accounts, kube-root-ca.crt, garbage collection, deletion of namespaces,
// aggregated roles. The kubeconfig should be that of an administrator. It ends as the child of
// [StartCertManager] does.
func StartControllerManager(ctx context.Context, assets Assets, kubeconfigPath string, log io.Writer) (stop func(), err error) {
	config, err := restConfig(kubeconfigPath)
	if err != nil {
		return nil, err
	}
	if err := rest.LoadTLSFiles(config); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "lanyard-controller-manager-*")
	if err != nil {
		return nil, err
	}
	rootCA := filepath.Join(dir, "ca.crt")
	if err := writeFileAtomically(rootCA, config.CAData); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return StartChild(ctx, Child{
		Path:    assets.Path(controllerManager),
		Args:    controllerManagerArgs(kubeconfigPath, rootCA, withoutNodes),
		Log:     log,
		Ready:   func(ctx context.Context) error { return controllerManagerReady(ctx, config) },
		cleanUp: func() { _ = os.RemoveAll(dir) },
	})
}

// Child says how a process is run that does not outlive this one.
type Child struct {
	// Path is the program, and Args its arguments without its name.
	Path string
	Args []string
	// Log takes what it writes.
	Log io.Writer
	// Ready answers nil once it does its work, or says why not yet.
	Ready   func(context.Context) error
	cleanUp func()
}

// StartChild starts a process, for tests, and returns when it is ready. It ends with stop, with
// ctx, or with this process, whichever is first, and is killed then, without a signal to end in
// good order. stop returns when it is gone and may be called more than once.
//
// An error has the end of its log.
func StartChild(ctx context.Context, c Child) (stop func(), err error) {
	name := filepath.Base(c.Path)
	ctx, cancel := context.WithCancel(ctx)
	tail := &tailWriter{next: c.Log}
	started, died := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(died)
		// The kernel kills the child when the thread that started it ends: keep it.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if c.cleanUp != nil {
			defer c.cleanUp()
		}
		cmd := exec.CommandContext(ctx, c.Path, c.Args...)
		cmd.Env = Process{}.environment()
		cmd.Stdout, cmd.Stderr = tail, tail
		cmd.SysProcAttr = &syscall.SysProcAttr{}
		dieWithParent(cmd.SysProcAttr)
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		if err := cmd.Wait(); ctx.Err() == nil {
			fmt.Fprintf(tail, "%s ended by itself: %v\n", name, err)
		}
	}()
	stop = func() { cancel(); <-died }
	if err := <-started; err != nil {
		stop()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	limited, cancelWait := context.WithTimeout(ctx, readyTimeout)
	defer cancelWait()
	err = poll(limited, func(ctx context.Context) error {
		select {
		case <-died:
			return permanent(errors.New("it has died"))
		default:
			return c.Ready(ctx)
		}
	})
	if err != nil {
		stop()
		return nil, fmt.Errorf("%s is not ready: %w\nThe end of its log:\n%s", name, err, lastLines(tail.String()))
	}
	return stop, nil
}

// tailWriter passes on what is written, and keeps the end of it for an error message.
type tailWriter struct {
	next io.Writer

	mu   sync.Mutex
	tail []byte
}

func (t *tailWriter) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tail = append(t.tail, p...)
	t.tail = bytes.Clone(t.tail[max(0, len(t.tail)-tailBytes):])
	return t.next.Write(p)
}

func (t *tailWriter) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.tail)
}
