{{- define "headgate.fullname" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* dict root component [pool] -> what a selector of that component says, and nothing that changes */}}
{{- define "headgate.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- with .pool }}
headgate.dev/pool: {{ . }}
{{- end }}
{{- end -}}

{{- define "headgate.labels" -}}
{{ include "headgate.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: headgate
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* dict root image{repository,tag,digest} */}}
{{- define "headgate.image" -}}
{{- $at := printf ":%s" (.image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion) -}}
{{- with .image.digest }}{{ $at = printf "@%s" . }}{{ end -}}
{{- with .root.Values.image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.repository }}{{ $at }}
{{- end -}}

{{- define "headgate.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: {{ .Values.podSecurity.runAsUser }}
runAsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroup: {{ .Values.podSecurity.runAsGroup }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "headgate.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* dict root component pool how */}}
{{- define "headgate.spread" -}}
{{- if ne .how "none" }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: {{ eq $.how "hard" | ternary "DoNotSchedule" "ScheduleAnyway" }}
  labelSelector:
    matchLabels:
      {{- include "headgate.selector" $ | nindent 6 }}
  matchLabelKeys: {{ eq $.component "engine" | ternary "[pod-template-hash]" "[controller-revision-hash]" }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Where each pod spec begins: what all pods have. dict root serviceAccount [token: may it ask the API server?] */}}
{{- define "headgate.podBasics" -}}
serviceAccountName: {{ .serviceAccount }}
automountServiceAccountToken: {{ .token | default false }}
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
{{- toYaml . | nindent 0 }}
{{- end }}
securityContext:
  {{- include "headgate.podSecurityContext" .root | nindent 2 }}
{{- end -}}

{{/* dict root pool -> the pool's settings as YAML: `engine` with the pool's own on top */}}
{{- define "headgate.pool" -}}
{{- $pool := mergeOverwrite (deepCopy .root.Values.engine) (deepCopy (index .root.Values.enginePools .pool | default dict)) -}}
{{- if $pool.spot }}{{ $_ := set $pool "drainSeconds" (min 20 (int $pool.drainSeconds) | int) }}{{ $_ := set $pool "preStopSeconds" (min 5 (int $pool.preStopSeconds) | int) }}{{ end -}}
{{- toYaml $pool -}}
{{- end -}}

{{- define "headgate.engineName" -}}{{ include "headgate.fullname" .root }}-engine-{{ .pool }}{{- end -}}

{{/* Strictly more than preStop and drain: the rest is for the errors of requests that had to be ended. */}}
{{- define "headgate.engineGrace" -}}{{ add .preStopSeconds .drainSeconds 10 }}{{- end -}}

{{/* Not below any engine's: a router may be in the middle of that engine's longest answer. */}}
{{- define "headgate.routerGrace" -}}
{{- $grace := add .Values.router.preStopSeconds .Values.router.drainSeconds 10 -}}
{{- range $name, $_ := .Values.enginePools -}}
{{- $pool := include "headgate.pool" (dict "root" $ "pool" $name) | fromYaml -}}
{{- $grace = max $grace (include "headgate.engineGrace" $pool | int) -}}
{{- end -}}
{{- $grace -}}
{{- end -}}

{{- define "headgate.auditSecret" -}}{{ .Values.audit.existingSecret | default (printf "%s-audit" (include "headgate.fullname" .)) }}{{- end -}}
{{- define "headgate.tenantsSecret" -}}{{ .Values.tenants.existingSecret | default (printf "%s-tenants" (include "headgate.fullname" .)) }}{{- end -}}
{{- define "headgate.clientSecret" -}}
{{- if .Values.tenants.existingSecret }}{{ .Values.tenants.clientSecret }}{{ else }}{{ include "headgate.fullname" . }}-client{{ end -}}
{{- end -}}
{{/* Whether `helm test` can ask: it has a key, and nobody wants a certificate that it has not. */}}
{{- define "headgate.tested" -}}
{{- if not (and (ne .Values.tls.clients.mode "off") .Values.tls.clients.requireClientCertificate) }}{{ include "headgate.clientSecret" . }}{{ end -}}
{{- end -}}
{{- define "headgate.engineServerName" -}}
{{ .Values.tls.engines.serverName | default (printf "%s-engine.%s.svc" (include "headgate.fullname" .) .Release.Namespace) }}
{{- end -}}
{{- define "headgate.clientTlsSecret" -}}
{{ eq .Values.tls.clients.mode "secret" | ternary .Values.tls.clients.secret (printf "%s-tls" (include "headgate.fullname" .)) }}
{{- end -}}
{{- define "headgate.engineTlsSecret" -}}
{{ eq .Values.tls.engines.mode "secret" | ternary .Values.tls.engines.engineSecret (printf "%s-engine-tls" (include "headgate.fullname" .)) }}
{{- end -}}
{{- define "headgate.routerTlsSecret" -}}
{{ eq .Values.tls.engines.mode "secret" | ternary .Values.tls.engines.routerSecret (printf "%s-router-tls" (include "headgate.fullname" .)) }}
{{- end -}}

{{/* What cannot be right is refused before anything is made. */}}
{{- define "headgate.check" -}}
{{- if not .Values.enginePools }}{{ fail "enginePools: needs at least one pool: sensitive requests have nowhere else to go" }}{{ end -}}
{{- range $name, $_ := .Values.enginePools -}}
{{- $pool := include "headgate.pool" (dict "root" $ "pool" $name) | fromYaml -}}
{{- with $pool.autoscaling -}}
{{- if gt (int .min) (int .max) }}{{ fail (printf "enginePools.%s.autoscaling.min: is above max" $name) }}{{ end -}}
{{- end -}}
{{- if and (eq $pool.kind "sglang") (ne $.Values.tls.engines.mode "off") }}{{ fail (printf "enginePools.%s: a server of kind sglang asks nobody for a certificate: not with tls.engines" $name) }}{{ end -}}
{{- with $pool.model -}}
{{- if and (eq .source "pvc") (not .pvc.claims) }}{{ fail (printf "enginePools.%s.model.pvc.claims: needs a claim" $name) }}{{ end -}}
{{- if and (eq .source "download") (not (and .download.url .download.claim .sha256)) }}{{ fail (printf "enginePools.%s.model: download needs download.url, download.claim and sha256" $name) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.cloud.enabled (not .Values.cloud.existingSecret) }}{{ fail "cloud.existingSecret: the Secret with the API key; never a value of this chart" }}{{ end -}}
{{- range $side, $tls := dict "clients" .Values.tls.clients "engines" .Values.tls.engines -}}
{{- if and (eq $tls.mode "cert-manager") (not $.Values.tls.certManager.issuerName) }}{{ fail (printf "tls.certManager.issuerName: needed by tls.%s.mode" $side) }}{{ end -}}
{{- end -}}
{{- if and (eq .Values.tls.clients.mode "secret") (not .Values.tls.clients.secret) }}{{ fail "tls.clients.secret: needed by mode secret" }}{{ end -}}
{{- if and (eq .Values.tls.engines.mode "secret") (not (and .Values.tls.engines.engineSecret .Values.tls.engines.routerSecret)) }}{{ fail "tls.engines: mode secret needs engineSecret and routerSecret" }}{{ end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.dns) }}{{ fail "networkPolicy.dns: empty would be everywhere" }}{{ end -}}
{{- range $kind, $route := dict "http" .Values.gateway.http "grpc" .Values.gateway.grpc -}}
{{- if and $route.enabled (not $route.parentRefs) }}{{ fail (printf "gateway.%s.parentRefs: which gateway?" $kind) }}{{ end -}}
{{- end -}}
{{- if and (eq .Values.router.discovery "endpoint-slices") .Values.networkPolicy.enabled (not .Values.networkPolicy.apiServer) }}{{ fail "networkPolicy.apiServer: routers that see prompts reach named addresses only; needed by router.discovery: endpoint-slices" }}{{ end -}}
{{- with .Values.drift -}}
{{- if .enabled -}}
{{- if not .claim }}{{ fail "drift.claim: the baseline must outlive the Job" }}{{ end -}}
{{- if not (hasKey $.Values.enginePools .pool) }}{{ fail (printf "drift.pool: there is no pool %s" .pool) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- with .Values.modelPipeline -}}
{{- if and .enabled (not (and .claim .from .to)) }}{{ fail "modelPipeline: needs claim, from and to" }}{{ end -}}
{{- end -}}
{{- range list "listen" "audit" "tenants_file" }}{{ if hasKey $.Values.router.config . }}{{ fail (printf "router.config.%s: the chart writes it; use the chart's own values" .) }}{{ end }}{{ end -}}
{{- end -}}
