{{- /* Labels of the release, beside those that the kustomize folders have too. */ -}}
{{- define "orascache.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- end }}

{{- /* An image in the registry that has the copies, where there is one. */ -}}
{{- define "orascache.mirrored" -}}
{{- if .registry -}}
{{ printf "%s/%s" .registry (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" .image "") }}
{{- else -}}
{{ .image }}
{{- end -}}
{{- end }}

{{- define "orascache.image" -}}
{{- $repository := include "orascache.mirrored" (dict "registry" .Values.registry "image" .Values.image.repository) -}}
{{- if .Values.image.digest -}}
{{ printf "%s@%s" $repository .Values.image.digest }}
{{- else -}}
{{ printf "%s:%s" $repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end -}}
{{- end }}

{{- /* The registry of caches that name no image. */ -}}
{{- define "orascache.registryImage" -}}
{{- include "orascache.mirrored" (dict "registry" .Values.registry "image" "ghcr.io/oras-project/registry:latest") -}}
{{- end }}

{{- /* The listed namespaces; without a list, all but kube-system and the operator's own. */ -}}
{{- define "orascache.reviewedNamespaces" -}}
matchExpressions:
- key: kubernetes.io/metadata.name
{{- if .Values.namespaces }}
  operator: In
  values:
{{- toYaml .Values.namespaces | nindent 2 }}
{{- else }}
  operator: NotIn
  values:
  - kube-system
  - {{ .Release.Namespace | quote }}
{{- end }}
{{- end }}

{{- define "orascache.testNamespace" -}}
{{- .Values.test.namespace | default (first (.Values.namespaces | default list)) | default "default" -}}
{{- end }}
