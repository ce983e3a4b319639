{{/* What all pods have in common; it satisfies the restricted Pod Security Standard. */}}

{{- define "aggregates.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "aggregates.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* Where the pod may run: the section of values. */}}
{{- define "aggregates.placement" -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $ $key }}
{{ $key }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The folders of a job's pod, of the driver and of executors: [root, filesSecret]. */}}
{{- define "aggregates.jobMounts" -}}
- {name: scratch, mountPath: /tmp}
- {name: runs, mountPath: /var/lib/activity-aggregates}
{{- if index . 1 }}
- {name: secrets, mountPath: /etc/activity-aggregates/secrets, readOnly: true}
{{- end }}
{{- end -}}

{{/* [root, filesSecret, size of scratch, whether it has the run directory] */}}
{{- define "aggregates.jobVolumes" -}}
{{- $root := index . 0 -}}
- name: scratch
  emptyDir: {sizeLimit: {{ index . 2 }}}
- name: runs
{{- if and $root.Values.runDirectory.enabled (index . 3) }}
  persistentVolumeClaim: {claimName: {{ include "aggregates.claim" $root }}}
{{- else }}
  emptyDir: {}
{{- end }}
{{- with index . 1 }}
- name: secrets
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* Spark's settings where executors are pods. $(POD_NAME) and $(POD_IP) are filled in by Kubernetes. */}}
{{- define "aggregates.executorSettings" -}}
{{- $executors := .Values.executors -}}
{{- dict
    "spark.driver.host" "$(POD_IP)"
    "spark.driver.port" 7078
    "spark.blockManager.port" 7079
    "spark.kubernetes.namespace" .Release.Namespace
    "spark.kubernetes.driver.pod.name" "$(POD_NAME)"
    "spark.kubernetes.container.image" (include "aggregates.image" (list . .Values.job.image))
    "spark.kubernetes.container.image.pullPolicy" .Values.job.image.pullPolicy
    "spark.kubernetes.executor.podTemplateFile" "/etc/activity-aggregates/executors/executor.yaml"
    "spark.executor.instances" $executors.instances
    "spark.executor.cores" $executors.cores
    "spark.executor.memory" $executors.memory
    "spark.executor.memoryOverhead" $executors.memoryOverhead
    | toJson -}}
{{- end -}}

{{/*
The specification of a Job, of a dict: root, component, arguments, environmentSecret, settings (a ConfigMap); deadline
and commandFiles (a Secret) where there are any. migrate computes nothing, and comes before everything else is there.
*/}}
{{- define "aggregates.job" -}}
{{- $root := .root -}}
{{- $job := $root.Values.job -}}
{{- $isRun := ne .component "migrate" -}}
{{- $hasExecutors := and $root.Values.executors.enabled $isRun -}}
backoffLimit: {{ $job.backoffLimit }}
{{- with .deadline }}
activeDeadlineSeconds: {{ . }}
{{- end }}
podFailurePolicy:
  rules:
    # A drained or preempted node says nothing about the job: another pod, and no attempt is used up.
    - action: Ignore
      onPodConditions: [{type: DisruptionTarget, status: "True"}]
    # A check has failed, or settings are wrong: another attempt changes nothing.
    - action: FailJob
      onExitCodes: {containerName: job, operator: In, values: [1, 2]}
template:
  metadata:
    labels: {{- include "aggregates.labels" (list $root .component) | nindent 6 }}
    {{- with $job.podLabels }}
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $job.podAnnotations }}
    annotations: {{- toYaml . | nindent 6 }}
    {{- end }}
  spec:
    restartPolicy: Never
    {{- if $hasExecutors }}
    serviceAccountName: {{ include "aggregates.fullname" $root }}-driver
    {{- else }}
    automountServiceAccountToken: false
    {{- end }}
    terminationGracePeriodSeconds: {{ $job.terminationGracePeriodSeconds }}
    {{- with $root.Values.imagePullSecrets }}
    imagePullSecrets: {{- toYaml . | nindent 6 }}
    {{- end }}
    securityContext: {{- include "aggregates.podSecurity" $root | nindent 6 }}
    containers:
      - name: job
        image: {{ include "aggregates.image" (list $root $job.image) }}
        imagePullPolicy: {{ $job.image.pullPolicy }}
        {{- $conf := list "--conf" "/etc/activity-aggregates/settings/settings.yaml" }}
        args: {{- concat .arguments $conf | toYaml | nindent 10 }}
        {{- with .environmentSecret }}
        envFrom:
          - secretRef: {name: {{ . }}}
        {{- end }}
        env:
          {{- if $hasExecutors }}
          - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
          - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
          - {name: ACTIVITY_AGGREGATES__SPARK__MASTER, value: "k8s://https://kubernetes.default.svc"}
          - name: ACTIVITY_AGGREGATES__SPARK__CONF
            value: {{ include "aggregates.executorSettings" $root | quote }}
          {{- end }}
          {{- range $name, $value := $job.environment }}
          - {name: {{ $name }}, value: {{ $value | quote }}}
          {{- end }}
        resources: {{- toYaml $job.resources | nindent 10 }}
        securityContext: {{- include "aggregates.containerSecurity" $root | nindent 10 }}
        volumeMounts:
          - {name: settings, mountPath: /etc/activity-aggregates/settings, readOnly: true}
          {{- include "aggregates.jobMounts" (list $root $job.filesSecret) | nindent 10 }}
          {{- if $hasExecutors }}
          - {name: executors, mountPath: /etc/activity-aggregates/executors, readOnly: true}
          {{- end }}
          {{- if .commandFiles }}
          - {name: files, mountPath: /etc/activity-aggregates/files, readOnly: true}
          {{- end }}
    volumes:
      - name: settings
        configMap: {name: {{ .settings }}}
      {{- include "aggregates.jobVolumes" (list $root $job.filesSecret $job.scratch $isRun) | nindent 6 }}
      {{- if $hasExecutors }}
      - name: executors
        configMap: {name: {{ include "aggregates.fullname" $root }}-executors}
      {{- end }}
      {{- with .commandFiles }}
      - name: files
        secret: {secretName: {{ . }}, defaultMode: 0440}
      {{- end }}
    {{- include "aggregates.placement" $job | nindent 4 }}
{{- end -}}
