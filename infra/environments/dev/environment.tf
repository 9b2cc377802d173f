# For experiments: `terraform destroy` deletes everything, including data.

locals {
  environment = "dev"

  # No cost of alarms, and no protection against deletion.
  protect                 = false
  alarms                  = false
  log_retention_days      = 14
  stream_retention_hours  = 24
  delivery_buffer_mib     = 64
  delivery_buffer_seconds = 60
  # Above the idle cost, so that a notice means something.
  monthly_budget_usd = 60
  # A flood of requests costs a few dollars a day at most.
  requests_per_second = 10
  burst               = 50
  # User records expire 90 days after the run that made them.
  schedule = "cron(0 3 ? * SUN *)"
}
