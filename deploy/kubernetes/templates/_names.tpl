{{/* Names and labels. */}}

{{- define "aggregates.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 30 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 40 characters: a CronJob's name, with its schedule, may have 52. */}}
{{- define "aggregates.fullname" -}}
{{- $name := include "aggregates.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels by which pods are found: [root, component]. */}}
{{- define "aggregates.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "aggregates.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels: [root, component]. */}}
{{- define "aggregates.labels" -}}
{{- $root := index . 0 -}}
{{ include "aggregates.selector" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version }}
{{- end -}}

{{/* [root, image] */}}
{{- define "aggregates.image" -}}
{{- $image := index . 1 -}}
{{ $image.repository }}:{{ $image.tag | default (index . 0).Chart.AppVersion }}
{{- end -}}

{{- define "aggregates.claim" -}}
{{- .Values.runDirectory.existingClaim | default (printf "%s-runs" (include "aggregates.fullname" .)) -}}
{{- end -}}

{{/* The settings file. */}}
{{- define "aggregates.settings" -}}
{{- if not .Values.settings.cassandra.contact_points -}}
{{- fail "settings.cassandra.contact_points says where Cassandra is: give one or several names" -}}
{{- end -}}
{{- if and .Values.api.enabled (not .Values.settings.api.issuer) -}}
{{- fail "settings.api.issuer says what iss of every token must be: give it, or set api.enabled=false" -}}
{{- end -}}
{{- $keys := .Values.settings.api.key_file | default "" -}}
{{- if and .Values.api.enabled (hasPrefix "/etc/activity-aggregates/secrets/" $keys) (not .Values.api.filesSecret) -}}
{{- fail (printf "settings.api.key_file is %s: name the Secret that holds it in api.filesSecret" $keys) -}}
{{- end -}}
{{- toYaml .Values.settings -}}
{{- end -}}
