package main

import (
	"errors"
	"regexp"
	"strings"
)

// document is one object of a manifest, as text.
type document string

// escape keeps Helm from reading as its own what is the manifest's.
func escape(d document) document {
	return document(strings.ReplaceAll(string(d), "{{", `{{ "{{" }}`))
}

// namespaced puts the release's namespace where config/ has lanyard-system.
func namespaced(d document) document {
	text := strings.ReplaceAll(string(d), "namespace: lanyard-system", "namespace: {{ .Release.Namespace | quote }}")
	return document(strings.ReplaceAll(text, "lanyard-system", "{{ .Release.Namespace }}"))
}

var (
	metadata    = regexp.MustCompile(`(?m)^metadata:\n`)
	labels      = regexp.MustCompile(`(?m)^  labels:\n`)
	annotations = regexp.MustCompile(`(?m)^  annotations:\n`)
)

// after inserts text after the only match of where.
func after(d document, where *regexp.Regexp, text string) (document, bool) {
	found := where.FindAllStringIndex(string(d), -1)
	if len(found) != 1 {
		return d, false
	}
	end := found[0][1]
	return d[:end] + document(text) + d[end:], true
}

// labelled adds the labels of the chart.
func labelled(d document) (document, error) {
	const include = "    {{- include \"lanyard.labels\" . | nindent 4 }}\n"
	if d, done := after(d, labels, include); done {
		return d, nil
	}
	if d, done := after(d, metadata, "  labels:\n"+include); done {
		return d, nil
	}
	return d, errors.New("metadata is not a block at the beginning of a line, or there are several")
}

// kept makes kinds stay when the release is uninstalled: with a kind all of its objects go.
func kept(d document) document {
	d, _ = after(d, annotations, "    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n")
	return d
}

var aggregating = regexp.MustCompile(`(?m)^  labels:\n((?:    rbac\.authorization\.k8s\.io/aggregate-to-.*\n)+)`)

// aggregated makes it a choice whether Kubernetes' own roles get Lanyard's.
func aggregated(d document) document {
	const named = "\n  name: lanyard-"
	d = document(aggregating.ReplaceAllString(string(d), "  labels:\n    {{- if .Values.rbac.aggregate }}\n$1    {{- end }}\n"))
	for _, role := range []string{"view", "client-owner", "resource-owner", "admin"} {
		if strings.Contains(string(d), named+role+"\n") {
			return "{{- if .Values.rbac.people }}\n" + d + "\n{{- end }}"
		}
	}
	return d
}

var injectCA = regexp.MustCompile(`(?m)^    cert-manager\.io/inject-ca-from: .*\n`)

// trusted says from where cert-manager takes the CA of the webhooks.
func trusted(d document) document {
	return document(injectCA.ReplaceAllString(string(d), "    {{- include \"lanyard.webhook.injectCA\" . | nindent 4 }}\n"))
}

var (
	images   = regexp.MustCompile(`(?m)^(  - name: images\n    expression: "')[^']*'`)
	audience = regexp.MustCompile(`(?m)^(  - name: audience\n    expression: "')[^']*'`)
)

// accepting has the mark's policy accept the sidecar's images, and know the issuer, of the release.
func accepting(d document) document {
	text := images.ReplaceAllString(string(d), "${1}{{ include \"lanyard.sidecarImages\" . }}'")
	return document(audience.ReplaceAllString(text, "${1}{{ include \"lanyard.issuerURL\" . }}'"))
}
