# For production: data is protected against mistakes, and failures raise alarms.

locals {
  environment = "prod"

  # Buckets with objects, the table and the stream cannot be destroyed by accident.
  protect                 = true
  alarms                  = true
  log_retention_days      = 365
  stream_retention_hours  = 168
  delivery_buffer_mib     = 128
  delivery_buffer_seconds = 300
  monthly_budget_usd      = 0
  requests_per_second     = 500
  burst                   = 1000
  schedule                = "cron(0 3 * * ? *)"
}
