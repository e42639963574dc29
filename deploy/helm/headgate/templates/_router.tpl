{{/* router.yaml: what the user wrote, and on top what only the chart can know. */}}
{{- define "headgate.routerConfig" -}}
{{- $config := deepCopy .Values.router.config -}}
{{- $listen := dict "http" "0.0.0.0:8080" "grpc" "0.0.0.0:8081" "admin" (ternary "0.0.0.0:8082" "127.0.0.1:8082" (gt (len .Values.admin.keySha256) 0)) "metrics" "0.0.0.0:9090" -}}
{{- if ne .Values.tls.clients.mode "off" -}}
{{- $tls := dict "certificate_file" "/etc/headgate/tls/tls.crt" "key_file" "/etc/headgate/tls/tls.key" -}}
{{- if .Values.tls.clients.requireClientCertificate }}{{ $_ := set $tls "ca_file" "/etc/headgate/tls/ca.crt" }}{{ end -}}
{{- $_ := set $listen "tls" $tls -}}
{{- end -}}
{{- with .Values.admin.keySha256 }}{{ $_ := set $listen "admin_key_sha256" . }}{{ end -}}
{{- $endpoints := list -}}
{{- range $name, $_ := .Values.enginePools -}}
{{- $pool := include "headgate.pool" (dict "root" $ "pool" $name) | fromYaml -}}
{{- $service := include "headgate.engineName" (dict "root" $ "pool" $name) -}}
{{- $endpoint := dict "name" $name -}}
{{- if eq $.Values.router.discovery "endpoint-slices" -}}
{{- $_ := set $endpoint "service" (printf "%s/%s" $.Release.Namespace $service) -}}
{{- else -}}
{{- $_ := set $endpoint "address" (printf "%s.%s.svc.%s:%s" $service $.Release.Namespace $.Values.clusterDomain (include "headgate.enginePort" $pool)) -}}
{{- end -}}
{{- if ne $pool.kind "headgate" -}}
{{- $_ := mergeOverwrite $endpoint (dict "protocol" "openai" "model" ($pool.model.name | default $pool.model.file) "sequences_max" (int $pool.parallel)) -}}
{{- end -}}
{{- $endpoints = append $endpoints $endpoint -}}
{{- end -}}
{{- $local := mergeOverwrite (dict "resolve_interval" "2s") (default dict $config.local) (dict "endpoints" $endpoints) -}}
{{- if ne .Values.tls.engines.mode "off" -}}
{{- $_ := set $local "tls" (dict "ca_file" "/etc/headgate/engine-tls/ca.crt" "certificate_file" "/etc/headgate/engine-tls/tls.crt" "key_file" "/etc/headgate/engine-tls/tls.key") -}}
{{- if not (or $local.tls_identities $local.tls_server_name) -}}
{{- $_ := set $local "tls_identities" (list (include "headgate.engineServerName" . | trim)) -}}
{{- end -}}
{{- end -}}
{{- $cloud := mergeOverwrite (dict "enabled" .Values.cloud.enabled) (default dict $config.cloud) -}}
{{- if .Values.cloud.enabled -}}
{{- $_ := mergeOverwrite $cloud (dict "enabled" true "name" .Values.cloud.name "base_url" .Values.cloud.baseUrl "model" .Values.cloud.model "api_key_file" "/etc/headgate/cloud/api-key") -}}
{{- if .Values.cloud.caSecret }}{{ $_ := set $cloud "ca_file" "/etc/headgate/cloud-ca/ca.crt" }}{{ end -}}
{{- end -}}
{{- $limits := mergeOverwrite (default dict $config.limits) (dict "drain" (printf "%ds" (int .Values.router.drainSeconds))) -}}
{{- $audit := dict "directory" "/var/lib/headgate/audit" "key_file" "/etc/headgate/audit/audit.key" -}}
{{- toYaml (mergeOverwrite $config (dict "listen" $listen "limits" $limits "local" $local "cloud" $cloud "audit" $audit "tenants_file" "/etc/headgate/tenants/tenants.yaml")) -}}
{{- end -}}

{{/* docs/operations.md lists what needs a restart. */}}
{{- define "headgate.restartOn" -}}
{{- $config := include "headgate.routerConfig" . | fromYaml -}}
{{- $cloud := default dict $config.cloud -}}
{{- toJson (list $config.sharing $config.clouds $config.local.kubernetes .Values.router.discovery $config.listen $config.limits.body_bytes_max $cloud.enabled $cloud.base_url $cloud.ca_file $config.local.tls .Values.cloud.existingSecret) -}}
{{- end -}}
