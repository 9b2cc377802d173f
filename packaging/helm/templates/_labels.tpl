{{- define "cartwheel.selector" -}}
app.kubernetes.io/name: cartwheel
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cartwheel.metadata" -}}
name: {{ .Release.Name }}
labels:
  {{- include "cartwheel.selector" . | nindent 2 }}
  app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
