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
  monthly_budget_usd      = 20
}
