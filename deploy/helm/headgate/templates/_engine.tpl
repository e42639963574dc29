{{- define "headgate.enginePort" -}}{{ get (dict "headgate" "50051" "vllm" "8000" "sglang" "30000") .kind }}{{- end -}}
{{- define "headgate.engineMetricsPort" -}}{{ get (dict "headgate" "50053" "vllm" "8000" "sglang" "30000") .kind }}{{- end -}}

{{/* Whether a pool runs another project's server: its metrics are on the port that it answers at. */}}
{{- define "headgate.otherServers" -}}
{{- range $name, $_ := .Values.enginePools }}{{ if ne (include "headgate.pool" (dict "root" $ "pool" $name) | fromYaml).kind "headgate" }}yes{{ end }}{{ end -}}
{{- end -}}

{{/* The taints that the large clouds put on pre-emptible nodes. */}}
{{- define "headgate.spotTolerations" -}}
- {key: cloud.google.com/gke-spot, operator: Equal, value: "true", effect: NoSchedule}
- {key: kubernetes.azure.com/scalesetpriority, operator: Equal, value: spot, effect: NoSchedule}
- {key: spot, operator: Exists, effect: NoSchedule}
{{- end -}}

{{/* Nodes that those clouds call pre-emptible come first; others do. */}}
{{- define "headgate.spotAffinity" -}}
nodeAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
  {{- range list (list "cloud.google.com/gke-spot" "true") (list "kubernetes.azure.com/scalesetpriority" "spot") (list "eks.amazonaws.com/capacityType" "SPOT") (list "karpenter.sh/capacity-type" "spot") }}
  - weight: 100
    preference: {matchExpressions: [{key: {{ index . 0 }}, operator: In, values: [{{ index . 1 | quote }}]}]}
  {{- end }}
{{- end -}}

{{- define "headgate.modelFolder" -}}{{ ternary .model.image.path "/models" (eq .model.source "imageVolume") }}{{- end -}}

{{/* Whether an init container puts the model into an emptyDir. */}}
{{- define "headgate.modelPrepared" -}}
{{- if or (eq .model.source "image") (and (eq .model.source "pvc") (or .model.sha256 (gt (len .model.pvc.claims) 1))) }}yes{{ end -}}
{{- end -}}

{{- define "headgate.modelInit" -}}
{{- $model := .pool.model -}}
{{- if include "headgate.modelPrepared" .pool }}
initContainers:
- name: model
  {{- if eq $model.source "image" }}
  image: {{ include "headgate.image" (dict "root" .root "image" $model.image) }}
  {{- else }}
  image: {{ include "headgate.image" (dict "root" .root "image" (dict "repository" $model.download.image "tag" "" "digest" "")) }}
  {{- end }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  {{- /* The file's name and digest come as variables: nothing from values is read as shell. */}}
  command: [/bin/sh, -euc]
  args:
  - |
    check() { [ -z "$SHA256" ] || echo "$SHA256  $1" | sha256sum -c - >/dev/null 2>&1; }
    {{- if eq $model.source "image" }}
    cp "$FROM/$FILE" "/models/$FILE"
    check "/models/$FILE" || { echo "the copy of $FILE does not have SHA-256 $SHA256" >&2; exit 1; }
    if [ -f "$FROM/$FILE.manifest.json" ]; then cp "$FROM/$FILE.manifest.json" /models/; fi
    {{- else }}
    for copy in /copies/*; do
      if [ -f "$copy/$FROM/$FILE" ] && check "$copy/$FROM/$FILE"; then
        ln -s "$copy/$FROM/$FILE" "/models/$FILE"
        if [ -f "$copy/$FROM/$FILE.manifest.json" ]; then ln -s "$copy/$FROM/$FILE.manifest.json" /models/; fi
        echo "using $copy"
        exit 0
      fi
      echo "$copy: no $FILE, or not with SHA-256 $SHA256" >&2
    done
    echo "no good copy" >&2
    exit 1
    {{- end }}
  env:
  - {name: FILE, value: {{ $model.file | quote }}}
  - {name: SHA256, value: {{ $model.sha256 | quote }}}
  - {name: FROM, value: {{ ternary $model.image.path $model.pvc.path (eq $model.source "image") | quote }}}
  resources:
    requests: {cpu: 50m, memory: 32Mi}
    limits: {memory: 256Mi}
  securityContext:
    {{- include "headgate.containerSecurityContext" .root | nindent 4 }}
  volumeMounts:
  - {name: models, mountPath: /models}
  {{- if eq $model.source "pvc" }}
  {{- range $i, $_ := $model.pvc.claims }}
  - {name: copy-{{ $i }}, mountPath: /copies/{{ $i }}, readOnly: true}
  {{- end }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "headgate.modelMounts" -}}
{{- if ne .model.source "reference" }}
- {name: models, mountPath: {{ include "headgate.modelFolder" . }}, readOnly: true{{ if and (eq .model.source "pvc") .model.pvc.path (not (include "headgate.modelPrepared" .)) }}, subPath: {{ .model.pvc.path }}{{ end }}}
{{- if and (eq .model.source "pvc") (include "headgate.modelPrepared" .) }}
{{- range $i, $_ := .model.pvc.claims }}
- {name: copy-{{ $i }}, mountPath: /copies/{{ $i }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- if .model.keySecret }}
- {name: model-key, mountPath: /etc/headgate/model-key, readOnly: true}
{{- end }}
{{- end -}}

{{- define "headgate.modelVolumes" -}}
{{- $model := .pool.model -}}
{{- if include "headgate.modelPrepared" .pool }}
- name: models
  emptyDir: {{ with $model.cacheSize }}{sizeLimit: {{ . }}}{{ else }}{}{{ end }}
{{- if eq $model.source "pvc" }}
{{- range $i, $claim := $model.pvc.claims }}
- {name: copy-{{ $i }}, persistentVolumeClaim: {claimName: {{ $claim }}, readOnly: true}}
{{- end }}
{{- end }}
{{- else if eq $model.source "pvc" }}
- {name: models, persistentVolumeClaim: {claimName: {{ first $model.pvc.claims }}, readOnly: true}}
{{- else if eq $model.source "download" }}
- {name: models, persistentVolumeClaim: {claimName: {{ $model.download.claim }}, readOnly: true}}
{{- else if eq $model.source "imageVolume" }}
- name: models
  image: {reference: {{ include "headgate.image" (dict "root" .root "image" $model.image) | quote }}, pullPolicy: {{ .root.Values.image.pullPolicy }}}
{{- end }}
{{- with $model.keySecret }}
- name: model-key
  secret: {secretName: {{ . }}, items: [{key: model.key, path: model.key}], defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "headgate.engineCommand" -}}
{{- $pool := .pool -}}
{{- $file := printf "%s/%s" (include "headgate.modelFolder" $pool) $pool.model.file -}}
{{- if eq $pool.kind "headgate" }}
args:
{{- if eq $pool.model.source "reference" }}
- --reference
{{- else }}
- --model={{ $file }}
- --manifest={{ $pool.model.manifest }}
{{- end }}
{{- if $pool.model.keySecret }}
- --model-key=file:/etc/headgate/model-key/model.key
{{- end }}
{{- with $pool.model.name }}
- --model-name={{ . }}
{{- end }}
- --context-tokens={{ int $pool.contextTokens }}
- --parallel={{ int $pool.parallel }}
- --queue-max={{ int $pool.queueMax }}
- --threads={{ int $pool.threads }}
{{- if gt (int $pool.gpuLayers) 0 }}
- --gpu-layers={{ int $pool.gpuLayers }}
{{- end }}
- --listen=0.0.0.0:50051
- --admin=127.0.0.1:50052
- --metrics=0.0.0.0:50053
- --drain-seconds={{ int $pool.drainSeconds }}
{{- if .tls }}
- --tls-cert=/etc/headgate/tls/tls.crt
- --tls-key=/etc/headgate/tls/tls.key
- --tls-ca=/etc/headgate/tls/ca.crt
{{- end }}
{{- else if eq $pool.kind "vllm" }}
args:
- --model={{ $file }}
- --host=0.0.0.0
- --port=8000
- --served-model-name={{ $pool.model.name | default $pool.model.file }}
- --max-num-seqs={{ int $pool.parallel }}
{{- if .tls }}
- --ssl-certfile=/etc/headgate/tls/tls.crt
- --ssl-keyfile=/etc/headgate/tls/tls.key
- --ssl-ca-certs=/etc/headgate/tls/ca.crt
- --ssl-cert-reqs=2
{{- end }}
{{- else }}
command: [python3, -m, sglang.launch_server]
args:
- --model-path={{ $file }}
- --host=0.0.0.0
- --port=30000
- --enable-metrics
- --max-running-requests={{ int $pool.parallel }}
- --served-model-name={{ $pool.model.name | default $pool.model.file }}
{{- end }}
{{- with $pool.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- $env := list }}
{{- if ne $pool.kind "headgate" }}
{{- range $key, $value := dict "DO_NOT_TRACK" "1" "VLLM_NO_USAGE_STATS" "1" "VLLM_DO_NOT_TRACK" "1" "HF_HUB_OFFLINE" "1" "TRANSFORMERS_OFFLINE" "1" "HF_HUB_DISABLE_TELEMETRY" "1" "HOME" "/tmp" }}
{{- $env = append $env (dict "name" $key "value" $value) }}
{{- end }}
{{- end }}
{{- with concat $env $pool.extraEnv }}
env:
{{- toYaml . | nindent 0 }}
{{- end }}
{{- end -}}
