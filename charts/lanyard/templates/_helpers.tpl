{{- define "lanyard.labels" -}}
app.kubernetes.io/part-of: lanyard
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "lanyard.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end -}}
{{- end }}

{{- define "lanyard.issuerURL" -}}
{{ .Values.issuer.url | default (printf "https://lanyard-issuer.%s.svc" .Release.Namespace) }}
{{- end }}

{{- /* The Secrets with certificates: yours, or those that cert-manager makes. */ -}}
{{- define "lanyard.issuer.secret" -}}
{{ .Values.certificates.issuer.existingSecret | default "lanyard-issuer-tls" }}
{{- end }}

{{- define "lanyard.webhook.secret" -}}
{{ .Values.certificates.webhook.existingSecret | default "lanyard-webhook-tls" }}
{{- end }}

{{- /* Whether a certificate comes from Lanyard's own CA: "true" or "". Takes certificates.issuer or certificates.webhook. */ -}}
{{- define "lanyard.ownCA" -}}
{{- if not (or .existingSecret (dig "name" "" .issuerRef)) }}true{{ end }}
{{- end }}

{{- /* The Secret with the roots of the issuer's serving certificate. */ -}}
{{- define "lanyard.caSecret" -}}
{{- with .Values.certificates.issuer -}}
{{- if .caSecret }}{{ .caSecret }}
{{- else if include "lanyard.ownCA" . }}lanyard-ca
{{- else }}{{ include "lanyard.issuer.secret" $ }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Whether they stand in two places, "true" or "": Lanyard's own CA, and the certificate in use, which an earlier one may
have signed. */ -}}
{{- define "lanyard.twoCAs" -}}
{{- with .Values.certificates.issuer -}}
{{- if not .caSecret }}{{ include "lanyard.ownCA" . }}{{ end }}
{{- end }}
{{- end }}

{{- /* Where cert-manager's CA injector finds who signed the webhooks' certificate. */ -}}
{{- define "lanyard.webhook.injectCA" -}}
{{- if .Values.certificates.webhook.existingSecret -}}
cert-manager.io/inject-ca-from-secret: {{ .Release.Namespace }}/{{ .Values.certificates.webhook.existingSecret }}
{{- else -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/lanyard-webhook
{{- end }}
{{- end }}

{{- /* Images that sidecars may have. While an upgrade is under way, and after it is taken back, both images are injected.
What is no image is passed over: who may write ConfigMaps in this namespace would else write into manifests that the
platform applies. */ -}}
{{- define "lanyard.sidecarImages" -}}
{{- $before := lookup "v1" "ConfigMap" .Release.Namespace "lanyard-sidecar" | dig "data" "images" "" }}
{{- $images := list (include "lanyard.image" .) }}
{{- range splitList " " $before }}
{{- if regexMatch "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$" . }}
{{- $images = append $images . | uniq }}
{{- end }}
{{- end }}
{{- concat (slice $images 0 (min 3 (len $images))) .Values.injection.extraImages | uniq | join " " }}
{{- end }}
