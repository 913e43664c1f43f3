// Package config holds the manifests of this folder that say what the API server knows
// of Lanyard, so that `kubectl lanyard check` can compare an installation with them. It
// does nothing else.
package config

import "embed"

// Manifests are the definitions of the kinds, the policies, and the webhook
// configurations, at their paths in this folder.
//
//go:embed crd/bases/*.yaml policies/status.yaml policies/issuance.yaml policies/who-decided.yaml policies/mark.yaml webhook/mutating.yaml webhook/validating.yaml
var Manifests embed.FS
