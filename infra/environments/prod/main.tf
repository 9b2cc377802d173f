# For a shop: data withstands mistakes, and somebody hears when things fail.

module "stack" {
  source = "../../modules/stack"

  name        = var.name
  environment = "prod"
  dist        = var.dist
  glue_script = var.glue_script
  definition  = "../../pipeline.asl.json"

  # Buckets that hold data, the table and the stream are not destroyed by accident.
  protect                 = true
  alarms                  = true
  log_retention_days      = 365
  stream_retention_hours  = 168
  delivery_buffer_mib     = 128
  delivery_buffer_seconds = 300

  architecture         = var.architecture
  stream_shards        = var.stream_shards
  endpoint_mode        = var.endpoint_mode
  endpoint_autoscaling = var.endpoint_autoscaling
  schedule             = var.schedule
  timezone             = var.timezone
  api_key_hashes       = var.api_key_hashes
  allow_anonymous      = var.allow_anonymous
  cors_origins         = var.cors_origins
  direct_ingest        = var.direct_ingest
  web_domain           = var.web_domain
  alarm_email          = var.alarm_email
  monthly_budget_usd   = var.monthly_budget_usd
  github_repository    = var.github_repository
  github_provider_arn  = var.github_provider_arn
  state_bucket         = var.state_bucket
  kms_key_arn          = var.kms_key_arn
}
