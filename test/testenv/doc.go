// Package testenv gives integration tests a real control plane: etcd and
// kube-apiserver by controller-runtime's envtest, Lanyard's CRDs and, where asked
// for, cert-manager's own controllers, kube-controller-manager, and Lanyard's admission
// with the controller that answers it.
//
// One control plane serves the tests of one package:
//
//	var env *testenv.Environment
//
//	func TestMain(m *testing.M) {
//		testenv.Main(m, &env, testenv.Options{CertManager: true})
//	}
//
// The binaries are those of hack/cluster. `make test` passes them in
// KUBEBUILDER_ASSETS; a plain `go test` builds what is missing, once per machine.
//
// Only tests import it.
package testenv
