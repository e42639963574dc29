{{/* One element always, or none when the pods are not scraped: then the scaler stays where it is. Engine pods have two
more parts in their names than their Deployment, so that another pool's name never matches. */}}
{{- define "headgate.engineRequestsQuery" -}}
{{- $on := printf "namespace=%q,pod=~\"%s-[a-z0-9]+-[a-z0-9]+\"" .root.Release.Namespace .full -}}
sum({__name__=~"vllm:num_requests_(waiting|running)|sglang:num_(queue|running)_reqs",{{ $on }}})
{{- end -}}
{{/* A router that has seen no request yet has no such series: then zero, if it is scraped at all. */}}
{{- define "headgate.routerRequestsQuery" -}}
{{- $on := printf "namespace=%q,pod=~\"%s-[0-9]+\"" .root.Release.Namespace .full -}}
sum(rate(headgate_router_requests_total{ {{- $on -}} }[1m])) or 0 * sum(headgate_router_audit_writable{ {{- $on -}} })
{{- end -}}

{{/* dict root who full kind scale metric query target scaleDownPods -> HorizontalPodAutoscaler or ScaledObject.
Sums with AverageValue: independent of which pods are ready, so it neither winds up nor flaps. */}}
{{- define "headgate.scaler" -}}
{{- $behavior := printf `behavior:
  scaleUp:
    stabilizationWindowSeconds: 0
    selectPolicy: Max
    policies:
    - {type: Percent, value: 100, periodSeconds: 15}
    - {type: Pods, value: 2, periodSeconds: 15}
  scaleDown:
    stabilizationWindowSeconds: %d
    policies:
    - {type: Pods, value: %d, periodSeconds: 60}` (int .scale.scaleDownSeconds) (int .scaleDownPods) }}
---
{{- if eq .scale.mode "keda" }}
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ .full }}
  labels:
    {{- include "headgate.labels" .who | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: {{ .kind }}, name: {{ .full }}}
  minReplicaCount: {{ .scale.min }}
  maxReplicaCount: {{ .scale.max }}
  pollingInterval: 5
  cooldownPeriod: {{ .scale.scaleDownSeconds }}
  # No answer from Prometheus: stay as large as we are.
  fallback: {failureThreshold: 3, replicas: {{ max 1 (int .scale.min) }}, behavior: currentReplicasIfHigher}
  advanced:
    horizontalPodAutoscalerConfig:
      {{- $behavior | nindent 6 }}
  triggers:
  - type: prometheus
    metricType: AverageValue
    metadata:
      serverAddress: {{ .root.Values.metrics.prometheusUrl }}
      query: {{ .query | squote }}
      threshold: {{ .target | quote }}
      activationThreshold: "0"
      ignoreNullValues: "false"
{{- else }}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ .full }}
  labels:
    {{- include "headgate.labels" .who | nindent 4 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: {{ .kind }}, name: {{ .full }}}
  minReplicas: {{ .scale.min }}
  maxReplicas: {{ .scale.max }}
  {{- $behavior | nindent 2 }}
  metrics:
  {{- if eq .scale.mode "external" }}
  - type: External
    external:
      metric:
        name: {{ .metric.name }}
        selector:
          matchLabels:
            {{- toYaml .metric.selector | nindent 12 }}
      target: {type: AverageValue, averageValue: {{ .target | quote }}}
  {{- else }}
  - type: Resource
    resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .scale.cpuPercent }}}}
  {{- with .scale.memoryPercent }}
  - type: Resource
    resource: {name: memory, target: {type: Utilization, averageUtilization: {{ . }}}}
  {{- end }}
  {{- end }}
{{- end }}
{{ end -}}
