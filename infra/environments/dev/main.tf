# environment.tf has the values that differ between the environments. The other files are
# links in prod to those of dev.

module "stack" {
  source = "../../modules/stack"

  name        = var.name
  environment = local.environment
  dist        = var.dist
  glue_script = var.glue_script
  definition  = "../../pipeline.asl.json"

  protect                 = local.protect
  alarms                  = local.alarms
  log_retention_days      = local.log_retention_days
  stream_retention_hours  = local.stream_retention_hours
  delivery_buffer_mib     = local.delivery_buffer_mib
  delivery_buffer_seconds = local.delivery_buffer_seconds

  architecture         = var.architecture
  stream_shards        = var.stream_shards
  endpoint_mode        = var.endpoint_mode
  endpoint_autoscaling = var.endpoint_autoscaling
  schedule             = var.schedule
  timezone             = var.timezone
  label                = var.label
  discovery            = var.discovery
  api_key_hashes       = var.api_key_hashes
  allow_anonymous      = var.allow_anonymous
  cors_origins         = var.cors_origins
  image_hosts          = var.image_hosts
  direct_ingest        = var.direct_ingest
  web_domain           = var.web_domain
  alarm_email          = var.alarm_email
  monthly_budget_usd   = var.monthly_budget_usd == null ? local.monthly_budget_usd : var.monthly_budget_usd
  github_repository    = var.github_repository
  github_provider_arn  = var.github_provider_arn
  state_bucket         = var.state_bucket
  kms_key_arn          = var.kms_key_arn
}
