package clientsecret

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/controllers/index"
	"github.com/lanyard-dev/lanyard/controllers/status"
)

const (
	// checkEvery is how often it is asked whether the Secret is still there: without
	// permission to watch Secrets, no event tells.
	checkEvery = 10 * time.Minute
	// checkSoon is how soon, at first, it is asked again where something is in the way.
	checkSoon = 3 * time.Second
)

// conclude says what the status becomes. All of it that is not about secrets stays.
func conclude(f facts, d decision, o outcome, enabled bool, now time.Time) v1alpha1.OAuthClientStatus {
	s := *f.client.Status.DeepCopy()
	s.ClientSecrets = d.keep
	if o.made != nil {
		s.ClientSecrets = append([]v1alpha1.ClientSecretStatus{*o.made}, d.keep...)
		s.ClientSecrets = s.ClientSecrets[:min(len(s.ClientSecrets), maxSecrets)]
	}
	if f.client.Spec.Authentication.ClientSecret == nil {
		s.Conditions = status.Without(s.Conditions, v1alpha1.ConditionClientSecret)
		return s
	}
	condition := ready(f, o, s.ClientSecrets, enabled)
	condition.Type, condition.ObservedGeneration = v1alpha1.ConditionClientSecret, f.client.Generation
	s.Conditions = status.Set(s.Conditions, condition, now)
	return s
}

func ready(f facts, o outcome, secrets []v1alpha1.ClientSecretStatus, enabled bool) metav1.Condition {
	wanted := f.client.Spec.Authentication.ClientSecret
	no := func(reason, message string) metav1.Condition {
		return metav1.Condition{Status: metav1.ConditionFalse, Reason: reason, Message: message}
	}
	name := f.client.Namespace + "/" + wanted.SecretName
	switch {
	case !enabled:
		return no(v1alpha1.ReasonClientSecretsDisabled,
			"client secrets are switched off in this installation, so none is made and none is accepted; whoever runs the platform switches them on with --client-secrets, on controller and issuer (config/components/client-secrets). Better, if the caller can: list serviceAccounts or certificate")
	case f.held == foreign:
		return no(v1alpha1.ReasonSecretNameInUse, fmt.Sprintf(
			"Secret %s exists and is not this client's, and is left as it is; delete it if nobody needs it, or remove spec.authentication.clientSecret and add it again with another secretName", name))
	case f.denied != "" || o.refused != "":
		return no(v1alpha1.ReasonRejected, fmt.Sprintf("the API server refused to write Secret %s: %s%s", name, f.denied, o.refused))
	default:
		return metav1.Condition{
			Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonClientSecretIssued,
			Message: fmt.Sprintf("Secret %s holds a client secret that works until %s; the next one is made at %s. To have it made within 10 minutes delete the Secret: what it held works on until it ends",
				name, written(secrets[0].ExpiresAt.Time), written(due(wanted, secrets[0]))),
		}
	}
}

// next is when to look again, zero: never.
func next(f facts, after v1alpha1.OAuthClientStatus, now time.Time) time.Duration {
	var moments []time.Time
	for _, s := range after.ClientSecrets {
		moments = append(moments, s.ExpiresAt.Time)
	}
	wanted := f.client.Spec.Authentication.ClientSecret
	condition := meta.FindStatusCondition(after.Conditions, v1alpha1.ConditionClientSecret)
	switch {
	case wanted == nil || condition.Reason == v1alpha1.ReasonClientSecretsDisabled:
	case condition.Status == metav1.ConditionTrue:
		moments = append(moments, now.Add(checkEvery), due(wanted, after.ClientSecrets[0]))
	default:
		// As long again as it has been so: soon at first, seldom at last.
		since := now.Sub(condition.LastTransitionTime.Time)
		moments = append(moments, now.Add(min(max(since, checkSoon), checkEvery)))
	}
	return index.Wake(now, moments...)
}

func written(t time.Time) string { return t.UTC().Format(time.RFC3339) }
