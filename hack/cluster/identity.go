package cluster

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// CertManagerUser is who cert-manager's controllers are, and what must stand in spec.username
// of the CertificateRequests that they make.
const CertManagerUser = "system:serviceaccount:cert-manager:cert-manager"

// CertManagerGroups returns the groups of [CertManagerUser], as a service account has them.
func CertManagerGroups() []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:cert-manager", "system:authenticated"}
}

// files of a state folder.
func (c *Cluster) pki() string                { return filepath.Join(c.stateDir, "pki") }
func (c *Cluster) pkiFile(name string) string { return filepath.Join(c.pki(), name) }
func (c *Cluster) kubeconfigOf(process string) string {
	return c.pkiFile(process + ".kubeconfig")
}

// Kubeconfig is the path of the administrator's kubeconfig (group system:masters).
func (c *Cluster) Kubeconfig() string { return filepath.Join(c.stateDir, "kubeconfig") }

// UserKubeconfig writes a kubeconfig for any user, with a client certificate of the cluster's
// CA. Nothing but RBAC holds the user back: make a binding for it as for any other. The name of
// a service account (system:serviceaccount:<namespace>:<name>, with its groups) works too.
func (c *Cluster) UserKubeconfig(path, username string, groups ...string) error {
	now := time.Now()
	ca, err := openAuthority(c.pki(), "ca", now)
	if err != nil {
		return err
	}
	pair, err := ca.client(username, groups, now)
	if err != nil {
		return err
	}
	port, err := Port(c.stateDir, apiserver)
	if err != nil {
		return err
	}
	const local = "lanyard-local"
	config := clientcmdapi.NewConfig()
	config.Clusters[local] = &clientcmdapi.Cluster{Server: "https://" + loopback(port), CertificateAuthorityData: ca.pem()}
	config.AuthInfos[username] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.certificate, ClientKeyData: pair.key}
	config.Contexts[local] = &clientcmdapi.Context{Cluster: local, AuthInfo: username}
	config.CurrentContext = local
	data, err := clientcmd.Write(*config)
	if err != nil {
		return err
	}
	return writeFileAtomically(path, data)
}

// ensureIdentities makes the keys, certificates and kubeconfigs that are not there yet.
func (c *Cluster) ensureIdentities(now time.Time) error {
	ca, err := openAuthority(c.pki(), "ca", now)
	if err != nil {
		return err
	}
	// A CA of its own: no user of the cluster can speak to etcd, which knows no users.
	etcdCA, err := openAuthority(c.pki(), "etcd-ca", now)
	if err != nil {
		return err
	}
	return errors.Join(
		ensureKeyPair(c.pki(), etcd, func() (keyPair, error) { return etcdCA.server(etcd, nil, now) }),
		ensureKeyPair(c.pki(), apiserver, func() (keyPair, error) {
			names := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}
			return ca.server(apiserver, names, now)
		}),
		ensureKeyPair(c.pki(), "service-account", newServiceAccountKey),
		c.ensureKubeconfig(c.Kubeconfig(), "admin", "system:masters"),
		// Its controllers would else each need a service account of their own, and time.
		c.ensureKubeconfig(c.kubeconfigOf(controllerManager), "system:kube-controller-manager", "system:masters"),
		c.ensureKubeconfig(c.kubeconfigOf(certManager), CertManagerUser, CertManagerGroups()...),
	)
}

func (c *Cluster) ensureKubeconfig(path, username string, groups ...string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.UserKubeconfig(path, username, groups...)
}
