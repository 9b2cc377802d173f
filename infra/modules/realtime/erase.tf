# The function that erases users from the lake, once an hour. The API records erasures, and erases
# from the users table at once.

locals {
  # The lake's tables that have users, and what names their parts.
  of_users = ["erasures", "events", "impressions", "imports", "order_products", "orders"]
  erasing  = concat(local.of_users, ["features", "releases"])
}

module "erase_function" {
  source             = "../function"
  name               = "${var.prefix}-erase"
  description        = "Erases users from the lake whose erasure was requested."
  archive            = "${var.archives}/erase.zip"
  account_id         = local.function.account_id
  architecture       = local.function.architecture
  log_retention_days = local.function.log_retention_days
  kms_key_arn        = local.function.kms_key_arn
  network            = local.function.network
  memory_mib         = 2048
  scratch_mib        = 2048 # It copies parts of the lake to rewrite them.
  timeout_seconds    = 900
  # Firehose keeps what it has read for some minutes more.
  environment = merge(var.environment, { CARTWHEEL_STREAM_HOURS = tostring(var.stream_retention_hours + 1) })
  statements = [
    {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for folder in local.erasing : "${var.lake_arn}/${folder}/*"]
    },
    {
      Sid       = "List"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [var.lake_arn]
      Condition = { StringLikeIfExists = { "s3:prefix" = [for folder in local.erasing : "${folder}/*"] } }
    },
    {
      Sid      = "Rewrite"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = [for folder in local.of_users : "${var.lake_arn}/${folder}/*"]
    },
    {
      Sid      = "Remove"
      Effect   = "Allow"
      Action   = ["s3:DeleteObject"]
      Resource = [for folder in ["events", "features", "impressions", "order_products", "orders"] : "${var.lake_arn}/${folder}/*"]
    },
    {
      Sid      = "Users"
      Effect   = "Allow"
      Action   = local.forget
      Resource = [var.table_arn]
    },
  ]
}

module "erase_schedule_role" {
  source      = "../role"
  name        = "${var.prefix}-erase-schedule"
  description = "Lets the schedule invoke the function that erases users."
  service     = "scheduler.amazonaws.com"
  account_id  = var.account_id
  kms_key_arn = var.kms_key_arn
  statements = [{
    Sid      = "Invoke"
    Effect   = "Allow"
    Action   = ["lambda:InvokeFunction"]
    Resource = [module.erase_function.arn]
  }]
}

resource "aws_scheduler_schedule" "erase" {
  #checkov:skip=CKV_AWS_297:kms_key_arn sets a customer-managed key; the schedule has no data.
  name                = "${var.prefix}-erase"
  description         = "Erases users from the lake."
  schedule_expression = "rate(1 hour)"
  kms_key_arn         = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = module.erase_function.arn
    role_arn = module.erase_schedule_role.arn
    input    = "{}"

    # The next hour tries again, and what a pass has done is not done twice.
    retry_policy {
      maximum_retry_attempts       = 0
      maximum_event_age_in_seconds = 60
    }
  }
}
