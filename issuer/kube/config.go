package kube

import (
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// LoadConfig finds the API server as kubectl does: from the given kubeconfig file,
// else from $KUBECONFIG, else from the pod's own service account.
func LoadConfig(kubeconfig string) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = kubeconfig
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	cfg.UserAgent = "lanyard-issuer"
	cfg.QPS, cfg.Burst = 100, 300 // look-ups have a limit of their own
	return cfg, nil
}
