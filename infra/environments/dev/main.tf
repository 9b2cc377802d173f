# For trying things out: `terraform destroy` leaves nothing, data included.

module "stack" {
  source = "../../modules/stack"

  name        = var.name
  environment = "dev"
  dist        = var.dist
  glue_script = var.glue_script
  definition  = "../../pipeline.asl.json"

  # No alarm bills, and everything goes when the environment goes.
  protect                 = false
  alarms                  = false
  log_retention_days      = 14
  stream_retention_hours  = 24
  delivery_buffer_mib     = 64
  delivery_buffer_seconds = 60

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
