// Package cluster runs a real Kubernetes control plane, with cert-manager's own controllers, as
// ordinary processes on loopback ports, without root and without containers; and, with root and
// Linux, a whole node that runs pods.
//
// It owns four things:
//
//   - the binaries: [Build] makes them from pinned Go modules (see the folder build) into a
//     cache outside the checkout, once per version;
//   - the processes: a [Supervisor] starts them detached, so that a demo outlives the command
//     that began it, and never signals a process that it did not start;
//   - the cluster: [Start] wires etcd, kube-apiserver, kube-controller-manager and
//     cert-manager together in a state folder. Calling it again starts what has died, on the
//     same ports and with the same data;
//   - the node: [EnterNode] and [StartNode] add a container runtime, a kubelet and what else
//     pods need, in a network, mounts and a cgroup of their own, and [RemoveNode] leaves
//     nothing of it behind.
//
// Tests that use controller-runtime's envtest take only the pieces: [Assets].Dir as
// KUBEBUILDER_ASSETS, [InstallCertManager], [StartCertManager] and [StartControllerManager].
//
// The package imports the standard library, client-go and apimachinery, and of this module only
// hack/image. It is for development machines: never point it at a cluster of others.
package cluster
