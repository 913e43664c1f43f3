package main

import (
	"net/url"
	"strings"
	"time"

	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"

	"github.com/lanyard-dev/lanyard/controllers/injection"
)

// InjectionOptions are the flags of what pods get that ask for the sidecar.
type InjectionOptions struct {
	SidecarImage      string
	SidecarPullPolicy string
	IssuerURL         string
	AssertionLifetime time.Duration
}

func (o *InjectionOptions) addInjectionFlags(f *pflag.FlagSet) {
	f.StringVar(&o.SidecarImage, "sidecar-image", "", "image of lanyard-sidecar in injected pods; the policy lanyard-mark must list it. None: injection is off, and pods labelled lanyard.dev/inject: \"true\" are refused")
	f.StringVar(&o.SidecarPullPolicy, "sidecar-image-pull-policy", "", "when nodes pull that image: Always, IfNotPresent or Never (default: Kubernetes', by the image's tag)")
	f.StringVar(&o.IssuerURL, "issuer-url", "", "the issuer as sidecars reach it, its --issuer-url: also the audience of their assertions; needed with --sidecar-image")
	f.DurationVar(&o.AssertionLifetime, "assertion-lifetime", time.Hour, "how long the service account token is valid that a sidecar authenticates with, at least 1h; the kubelet renews it when a fifth is left")
}

func (o *InjectionOptions) validateInjection(wrong func(flag string, value any, want string)) {
	if strings.ContainsAny(o.SidecarImage, " \t\n") {
		wrong("sidecar-image", o.SidecarImage, "must be the name of an image, without spaces")
	}
	switch corev1.PullPolicy(o.SidecarPullPolicy) {
	case "", corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		wrong("sidecar-image-pull-policy", o.SidecarPullPolicy, "must be Always, IfNotPresent or Never")
	}
	if u, err := url.Parse(o.IssuerURL); (o.SidecarImage != "" || o.IssuerURL != "") && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(o.IssuerURL, " $?#")) {
		wrong("issuer-url", o.IssuerURL, "must be the issuer's URL, for example https://lanyard-issuer.lanyard-system.svc")
	}
	if o.AssertionLifetime < time.Hour || o.AssertionLifetime > 24*time.Hour || o.AssertionLifetime%time.Second != 0 {
		wrong("assertion-lifetime", o.AssertionLifetime, "must be between 1h and 24h, in whole seconds")
	}
}

// installation is what injected pods need to know.
func (o *InjectionOptions) installation() injection.Installation {
	return injection.Installation{
		Image: o.SidecarImage, PullPolicy: corev1.PullPolicy(o.SidecarPullPolicy), Issuer: o.IssuerURL, AssertionLifetime: o.AssertionLifetime,
	}
}
