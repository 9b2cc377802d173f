output "web_url" {
  description = "URL of the web app."
  value       = module.stack.web_url
}

output "api_url" {
  description = "URL of the API, without a trailing slash."
  value       = module.stack.api_url
}

output "browser_ingest" {
  description = "Where pages put events into the stream, and the ID of their API key; null without it."
  value       = module.stack.browser_ingest
}

output "ingest_url" {
  description = "URL for events. With direct ingest it bypasses the function."
  value       = module.stack.ingest_url
}

output "state_machine_arn" {
  description = "ARN of the pipeline."
  value       = module.stack.state_machine_arn
}

output "pipeline_input" {
  description = "Input of the pipeline's executions, as JSON."
  value       = module.stack.pipeline_input
}

output "lake_bucket" {
  description = "Name of the lake's bucket."
  value       = module.stack.lake_bucket
}

output "artifacts_bucket" {
  description = "Name of the bucket of job artifacts."
  value       = module.stack.artifacts_bucket
}

output "web_bucket" {
  description = "Name of the web app's bucket."
  value       = module.stack.web_bucket
}

output "distribution_id" {
  description = "ID of the web app's distribution, for invalidations."
  value       = module.stack.distribution_id
}

output "dashboard_url" {
  description = "URL of the dashboard."
  value       = module.stack.dashboard_url
}

output "stream_name" {
  description = "Name of the stream of events."
  value       = module.stack.stream_name
}

output "table_name" {
  description = "Name of the users table."
  value       = module.stack.table_name
}

output "serve_policy" {
  description = "Policy for the role of a machine that runs `cartwheel serve --backend aws`, as JSON."
  value       = module.stack.serve_policy
}

output "alarms" {
  description = "Names of the alarms."
  value       = module.stack.alarms
}

output "deploy_role_arn" {
  description = "ARN of the role that workflows assume; null without github_repository."
  value       = module.stack.deploy_role_arn
}
