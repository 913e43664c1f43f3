package clientcertificate_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/clientcertificate"
	"github.com/lanyard-dev/lanyard/test/testenv"
)

func TestRenewalKeepsReadyWhileTheWatchOfRequestsIsBehind(t *testing.T) {
	w := world{T: t, env: env, namespace: env.Namespace(t, nil, nil).Name}
	behind, hold := testenv.Behind(t, w.env.Config, "certificaterequests")
	w.env.Manager(t, behind, func(mgr ctrl.Manager) error {
		return clientcertificate.SetupWithManager(mgr, clientcertificate.Config{Policy: testPolicy, Now: time.Now})
	}, w.namespace)
	w.createClient("checkout")
	c := w.issued("checkout")
	w.create(c)
	first := w.pinned(c, "checkout")

	hold()
	w.renew("checkout")
	w.eventually(c, func(c *v1alpha1.ClientCertificate) error {
		if ready(c).Status != metav1.ConditionTrue {
			t.Fatalf("a renewal must keep Ready; it is %v", ready(c))
		}
		if pin(c, v1alpha1.PinCurrent).Revision <= first.Revision {
			return fmt.Errorf("pins: %s", states(c))
		}
		return nil
	})
}
