package injection

import (
	"crypto/sha256"
	"encoding/hex"
	"math"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/lanyard-dev/lanyard/api/v1alpha1"
	"github.com/lanyard-dev/lanyard/sidecar/settings"
)

// Installation is what injected pods need to know of this installation.
type Installation struct {
	// Image is the sidecar's; "": injection is off.
	Image string
	// PullPolicy of the image; "": Kubernetes' default.
	PullPolicy corev1.PullPolicy
	// Issuer is the issuer's identifier, the audience of assertions.
	Issuer string
	// AssertionLifetime is how long an assertion is valid, an hour or more. The kubelet
	// renews it when a fifth is left.
	AssertionLifetime time.Duration
}

const (
	command      = "/lanyard-sidecar"
	portEndpoint = settings.EndpointPort
	portMetrics  = settings.MetricsPort
	portName     = "lanyard-metrics"
	tokenURL     = "http://127.0.0.1:9466/oauth2/token"

	// user runs the sidecar where the pod's own setting is root. It is the image's.
	user = 65532
	// tokensSize bounds the memory that tokens, certificate and key take: two versions of
	// each while they are switched.
	tokensSize = 4 << 20
)

// The files that the sidecar reads.
const (
	assertionPath   = v1alpha1.SidecarSecretsPath + "/assertion"
	certificatePath = v1alpha1.SidecarSecretsPath + "/certificate"
	caPath          = v1alpha1.SidecarSecretsPath + "/ca"
	upstreamsPath   = v1alpha1.SidecarSecretsPath + "/upstreams"
)

// shape is what a pod is given.
type shape struct {
	sidecar corev1.Container
	volumes []corev1.Volume
	// mount and env are for every other container.
	mount corev1.VolumeMount
	env   corev1.EnvVar
}

// shapeOf carries out a plan. What the API server would fill in stands there, so that a pod
// that comes a second time differs only where somebody changed it.
func shapeOf(pod *corev1.Pod, p plan, in Installation) shape {
	s := shape{
		mount: corev1.VolumeMount{Name: v1alpha1.VolumeTokens, MountPath: v1alpha1.TokensPath, ReadOnly: true},
		env:   corev1.EnvVar{Name: v1alpha1.EnvTokenURL, Value: tokenURL},
	}
	s.sidecar = corev1.Container{
		Name:            v1alpha1.SidecarContainer,
		Image:           in.Image,
		ImagePullPolicy: in.PullPolicy,
		Command:         []string{command},
		Args:            argsOf(pod, p, in),
		// A native sidecar: it starts before the others, ends after them, and keeps no Job from
		// completing.
		RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		Ports:         []corev1.ContainerPort{{Name: portName, ContainerPort: portMetrics, Protocol: corev1.ProtocolTCP}},
		// It never gives up: what it waits for may come at any time. There is no liveness
		// probe: a sidecar that is restarted while the issuer is away would lose the tokens
		// that are still good.
		StartupProbe: &corev1.Probe{
			ProbeHandler:  corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{command, "started"}}},
			PeriodSeconds: 1, TimeoutSeconds: 5, SuccessThreshold: 1, FailureThreshold: math.MaxInt32,
		},
		SecurityContext:          securityContext(pod),
		Resources:                resourcesOf(pod, p.wish),
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
	}
	if p.wish.Config != "" {
		// Kubernetes replaces $(NAME) in the value, and reads $$ as one $.
		s.sidecar.Env = []corev1.EnvVar{{Name: "LANYARD_CONFIG", Value: strings.ReplaceAll(p.wish.Config, "$", "$$")}}
	}
	s.add(corev1.VolumeMount{MountPath: v1alpha1.TokensPath}, v1alpha1.VolumeTokens, corev1.VolumeSource{
		EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: resource.NewQuantity(tokensSize, resource.BinarySI)},
	})
	for _, v := range secretsOf(p, in, modeOf(pod)) {
		s.add(corev1.VolumeMount{MountPath: v.path, ReadOnly: true}, v.name, v.source)
	}
	return s
}

func (s *shape) add(at corev1.VolumeMount, name string, source corev1.VolumeSource) {
	at.Name = name
	s.sidecar.VolumeMounts = append(s.sidecar.VolumeMounts, at)
	s.volumes = append(s.volumes, corev1.Volume{Name: name, VolumeSource: source})
}

type volume struct {
	name, path string
	source     corev1.VolumeSource
}

// secretsOf are the volumes that the sidecar alone mounts. None is optional: a kubelet tries
// again within seconds what is not there yet, and looks only each minute for what is optional.
func secretsOf(p plan, in Installation, mode int32) (all []volume) {
	if p.assertion {
		lifetime := int64(in.AssertionLifetime / time.Second)
		all = append(all, volume{v1alpha1.VolumeAssertion, assertionPath, corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			DefaultMode: &mode,
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
				Audience: in.Issuer, ExpirationSeconds: &lifetime, Path: "token",
			}}},
		}}})
	}
	if p.secret != "" {
		all = append(all, volume{v1alpha1.VolumeCertificate, certificatePath, corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: p.secret, DefaultMode: &mode},
		}})
	}
	configMap := func(name string) corev1.VolumeSource {
		return corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}, DefaultMode: &mode,
		}}
	}
	all = append(all, volume{v1alpha1.VolumeCA, caPath, configMap(v1alpha1.ConfigMapCA)})
	for _, name := range p.wish.Settings.ConfigMaps() {
		all = append(all, volume{upstreamVolume(name), path.Join(upstreamsPath, name), configMap(name)})
	}
	return all
}

// upstreamVolume names the volume of a ConfigMap, whose name may be longer than a volume's
// may be, and have dots.
func upstreamVolume(configMap string) string {
	const most, hash = 63 - len(v1alpha1.VolumeUpstreamPrefix), 12
	if len(configMap) <= most && !strings.Contains(configMap, ".") {
		return v1alpha1.VolumeUpstreamPrefix + configMap
	}
	sum := sha256.Sum256([]byte(configMap))
	head := strings.ReplaceAll(configMap[:min(len(configMap), most-hash-1)], ".", "-")
	return v1alpha1.VolumeUpstreamPrefix + head + "-" + hex.EncodeToString(sum[:])[:hash]
}

func argsOf(pod *corev1.Pod, p plan, in Installation) []string {
	args := []string{"--issuer=" + in.Issuer, "--client-id=" + p.clientID}
	if p.assertion {
		args = append(args, "--assertion-file="+assertionPath+"/token")
	}
	if p.secret != "" {
		args = append(args, "--cert="+certificatePath+"/tls.crt", "--key="+certificatePath+"/tls.key")
	}
	args = append(args, "--ca="+caPath+"/"+v1alpha1.KeyCA, "--directory="+v1alpha1.TokensPath)
	if fsGroup(pod) {
		args = append(args, "--file-mode=0440")
	} else {
		args = append(args, "--file-mode=0444") // the mount is the boundary
	}
	if len(p.wish.Settings.ConfigMaps()) > 0 {
		args = append(args, "--upstream-ca-directory="+upstreamsPath)
	}
	if p.wish.Expose {
		args = append(args, "--expose-certificate")
	}
	if !p.wish.Wait {
		args = append(args, "--wait=false")
	}
	return args
}

func fsGroup(pod *corev1.Pod) bool {
	return pod.Spec.SecurityContext != nil && pod.Spec.SecurityContext.FSGroup != nil
}

// modeOf is the mode of the files that the sidecar reads. With an fsGroup they are the
// group's, which every container of the pod has; without, they are root's, which the sidecar
// is not.
func modeOf(pod *corev1.Pod) int32 {
	if fsGroup(pod) {
		return 0o440
	}
	return 0o444
}

// securityContext is what Pod Security's restricted level wants. The user is the pod's own,
// or the image's, unless that is root: platforms that give each namespace its users (OpenShift)
// refuse any other.
func securityContext(pod *corev1.Pod) *corev1.SecurityContext {
	c := &corev1.SecurityContext{
		RunAsNonRoot:             new(true),
		AllowPrivilegeEscalation: new(false),
		ReadOnlyRootFilesystem:   new(true),
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
	if s := pod.Spec.SecurityContext; s != nil && s.RunAsUser != nil && *s.RunAsUser == 0 {
		c.RunAsUser = new(int64(user))
	}
	return c
}
