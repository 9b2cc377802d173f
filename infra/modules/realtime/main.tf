# The functions of the API and of the stream's consumer, and the optional routes to the stream
# without a function.

locals {
  function = {
    account_id         = var.account_id
    architecture       = var.architecture
    log_retention_days = var.log_retention_days
    kms_key_arn        = var.kms_key_arn
    network            = var.network
  }
  # What answers are made from: releases, the documents that the shop configures, and the live
  # catalogue, whose newest changes are in the table.
  served = ["documents", "features", "models", "releases", "snapshots"]
  # What every host of the API does: the function, and `cartwheel serve --backend aws`.
  answering = concat([
    {
      Sid      = "PutEvents"
      Effect   = "Allow"
      Action   = ["kinesis:PutRecords"]
      Resource = [var.stream_arn]
    },
    {
      Sid      = "PutImpressions"
      Effect   = "Allow"
      Action   = ["firehose:PutRecordBatch"]
      Resource = [var.impressions_arn]
    },
    {
      # An erasure is in the table before it is answered, and so is a change of a product.
      Sid      = "Table"
      Effect   = "Allow"
      Action   = local.forget
      Resource = [var.table_arn]
    },
    {
      Sid      = "ReadRelease"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for folder in local.served : "${var.lake_arn}/${folder}/*"]
    },
    {
      # The console shows runs. Nothing here starts or stops one. Map runs and express executions of this
      # state machine, which has none, stand there since IAM's reference names them for these actions.
      Sid      = "ListRuns"
      Effect   = "Allow"
      Action   = ["states:DescribeStateMachine", "states:ListExecutions"]
      Resource = [var.state_machine_arn, "${replace(var.state_machine_arn, ":stateMachine:", ":mapRun:")}/*:*"]
    },
    {
      Sid    = "ReadRuns"
      Effect = "Allow"
      Action = ["states:DescribeExecution", "states:DescribeStateMachineForExecution", "states:GetExecutionHistory"]
      Resource = [
        "${replace(var.state_machine_arn, ":stateMachine:", ":execution:")}:*",
        "${replace(var.state_machine_arn, ":stateMachine:", ":express:")}:*:*",
      ]
    },
    ], var.endpoint_arn == "" ? [] : [{
      Sid      = "Score"
      Effect   = "Allow"
      Action   = ["sagemaker:InvokeEndpoint"]
      Resource = [var.endpoint_arn]
  }])
  # What erasing a user from the table takes.
  forget = ["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"]
}

module "api_function" {
  source               = "../function"
  name                 = "${var.prefix}-api"
  description          = "Accepts events and serves recommendations."
  archive              = "${var.archives}/api.zip"
  account_id           = local.function.account_id
  architecture         = local.function.architecture
  log_retention_days   = local.function.log_retention_days
  kms_key_arn          = local.function.kms_key_arn
  network              = local.function.network
  memory_mib           = var.api_memory_mib # It holds catalogue and model.
  scratch_mib          = var.api_scratch_mib
  timeout_seconds      = 10
  reserved_concurrency = var.api_concurrency
  environment          = merge(var.environment, { CARTWHEEL_STATE_MACHINE = var.state_machine_arn })
  statements = concat(local.answering, [
    {
      # Answers that are computed again are read there, too.
      Sid      = "ExportUsers"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [for folder in local.of_users : "${var.lake_arn}/${folder}/*"]
    },
    {
      Sid      = "RecordErasuresAndProducts"
      Effect   = "Allow"
      Action   = ["s3:PutObject"]
      Resource = ["${var.lake_arn}/erasures/*", "${var.lake_arn}/snapshots/*"]
    },
    {
      # Without it, S3 answers 403 instead of 404 for a missing object. That request has no
      # prefix, hence IfExists.
      Sid       = "ListRelease"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [var.lake_arn]
      Condition = { StringLikeIfExists = { "s3:prefix" = [for folder in concat(local.served, local.of_users) : "${folder}/*"] } }
    },
  ])
}

module "api" {
  source              = "../api"
  prefix              = var.prefix
  function_name       = module.api_function.name
  function_invoke_arn = module.api_function.invoke_arn
  cors_origins        = var.cors_origins
  requests_per_second = var.requests_per_second
  burst               = var.burst
  log_retention_days  = var.log_retention_days
  kms_key_arn         = var.kms_key_arn
}

module "ingest_role" {
  count                = var.direct_ingest || var.browser_ingest ? 1 : 0
  source               = "../role"
  name                 = "${var.prefix}-ingest"
  description          = "Lets API Gateway put records into the stream."
  service              = "apigateway.amazonaws.com"
  account_id           = var.account_id
  check_source_account = false
  kms_key_arn          = var.kms_key_arn
  statements = [{
    Sid      = "Put"
    Effect   = "Allow"
    Action   = ["kinesis:PutRecord"]
    Resource = [var.stream_arn]
  }]
}

module "direct_ingest" {
  count       = var.direct_ingest ? 1 : 0
  source      = "../direct_ingest"
  api_id      = module.api.id
  stream_name = var.stream_name
  role_arn    = module.ingest_role[0].arn
}

module "browser_ingest" {
  count               = var.browser_ingest ? 1 : 0
  source              = "../browser_ingest"
  prefix              = var.prefix
  partition           = var.partition
  region              = var.region
  stream_name         = var.stream_name
  role_arn            = module.ingest_role[0].arn
  requests_per_second = var.requests_per_second
  burst               = var.burst
  log_retention_days  = var.log_retention_days
  kms_key_arn         = var.kms_key_arn
}

module "consume_function" {
  source               = "../function"
  name                 = "${var.prefix}-consume"
  description          = "Applies the stream's events to sessions."
  archive              = "${var.archives}/consume.zip"
  account_id           = local.function.account_id
  architecture         = local.function.architecture
  log_retention_days   = local.function.log_retention_days
  kms_key_arn          = local.function.kms_key_arn
  network              = local.function.network
  memory_mib           = 256
  timeout_seconds      = 60
  reserved_concurrency = var.consume_concurrency
  environment          = var.environment
  statements = [
    {
      Sid    = "ReadEvents"
      Effect = "Allow"
      Action = [
        "kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords",
        "kinesis:GetShardIterator", "kinesis:ListShards",
      ]
      Resource = [var.stream_arn]
    },
    {
      Sid      = "Sessions"
      Effect   = "Allow"
      Action   = ["dynamodb:BatchGetItem", "dynamodb:PutItem"]
      Resource = [var.table_arn]
    },
    {
      Sid      = "DeadLetters"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [var.dead_letters_arn]
    },
  ]
}

# A batch is retried until it succeeds or is too old, so that no event is lost while the table
# throttles for an hour. The function itself sets aside invalid records and reports the
# position that it reached.
resource "aws_lambda_event_source_mapping" "events" {
  event_source_arn                   = var.stream_arn
  function_name                      = module.consume_function.arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 500
  maximum_batching_window_in_seconds = 0
  parallelization_factor             = var.parallelization
  function_response_types            = ["ReportBatchItemFailures"]
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = 100
  maximum_record_age_in_seconds      = 43200

  destination_config {
    on_failure {
      destination_arn = var.dead_letters_arn
    }
  }
}
