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

  architecture          = var.architecture
  stream_shards         = var.stream_shards
  table_warm_throughput = var.table_warm_throughput
  requests_per_second   = var.requests_per_second == null ? local.requests_per_second : var.requests_per_second
  burst                 = var.burst == null ? local.burst : var.burst
  api_memory_mib        = var.api_memory_mib
  api_scratch_mib       = var.api_scratch_mib
  api_concurrency       = var.api_concurrency
  consume_concurrency   = var.consume_concurrency
  parallelization       = var.parallelization
  glue_max_workers      = var.glue_max_workers
  max_examples          = var.max_examples
  training_instance     = var.training_instance
  hyperparameters       = var.hyperparameters
  search                = var.search
  gate_margin           = var.gate_margin
  gate_min_users        = var.gate_min_users
  endpoint_mode         = var.endpoint_mode
  endpoint_autoscaling  = var.endpoint_autoscaling
  endpoint_instance     = var.endpoint_instance
  schedule              = var.schedule == null ? local.schedule : var.schedule
  timezone              = var.timezone
  label                 = var.label
  discovery             = var.discovery
  api_key_hashes        = var.api_key_hashes
  allow_anonymous       = var.allow_anonymous
  cors_origins          = var.cors_origins
  image_hosts           = var.image_hosts
  direct_ingest         = var.direct_ingest
  browser_ingest        = var.browser_ingest
  vpc                   = var.vpc
  web                   = var.web
  web_domain            = var.web_domain
  web_acl_arn           = var.web_acl_arn
  alarm_email           = var.alarm_email
  monthly_budget_usd    = var.monthly_budget_usd == null ? local.monthly_budget_usd : var.monthly_budget_usd
  github_repository     = var.github_repository
  github_provider_arn   = var.github_provider_arn
  state_bucket          = var.state_bucket
  kms_key_arn           = var.kms_key_arn
}
