output "web_url" {
  description = "URL of the web app; null without one."
  value       = one(module.web[*].url)
}

output "api_url" {
  description = "URL of the API, without a trailing slash."
  value       = module.realtime.api_url
}

output "browser_ingest" {
  description = "Where pages put events into the stream, and the ID of their API key; null without it."
  value       = module.realtime.browser_ingest
}

output "ingest_url" {
  description = "URL for events. With direct ingest it bypasses the function."
  value       = module.realtime.ingest_url
}

output "state_machine_arn" {
  description = "ARN of the pipeline."
  value       = module.pipeline.arn
}

output "pipeline_input" {
  description = "Input of the pipeline's executions, as JSON."
  value       = module.pipeline.input
}

output "lake_bucket" {
  description = "Name of the lake's bucket."
  value       = module.lake.bucket
}

output "artifacts_bucket" {
  description = "Name of the bucket of job artifacts."
  value       = module.lake.artifacts_bucket
}

output "web_bucket" {
  description = "Name of the web app's bucket; null without one."
  value       = one(module.web[*].bucket)
}

output "distribution_id" {
  description = "ID of the web app's distribution, for invalidations; null without one."
  value       = one(module.web[*].distribution_id)
}

output "dashboard_url" {
  description = "URL of the dashboard."
  value       = module.monitoring.dashboard_url
}

output "stream_name" {
  description = "Name of the stream of events."
  value       = module.stream.name
}

output "table_name" {
  description = "Name of the users table."
  value       = module.store.name
}

output "serve_policy" {
  description = "Policy for the role of a machine that runs `cartwheel serve --backend aws`, as JSON."
  value       = module.realtime.serve_policy
}

output "alarms" {
  description = "Names of the alarms."
  value       = module.monitoring.alarms
}

output "deploy_role_arn" {
  description = "ARN of the role that workflows assume; null without github_repository."
  value       = one(module.github[*].role_arn)
}
