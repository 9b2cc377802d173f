# A Lambda function: a static binary with its own role and log group.

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source               = "../role"
  name                 = var.name
  description          = "Permissions of the function ${var.name}."
  service              = "lambda.amazonaws.com"
  account_id           = var.account_id
  check_source_account = false
  in_network           = var.network != null
  kms_key_arn          = var.kms_key_arn
  statements = concat(var.statements, [{
    Sid      = "Log"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }])
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Traces are billed per request; logs carry the request ID, and PassThrough continues the traces of callers.
  #checkov:skip=CKV_AWS_115:Reserved concurrency reduces that of the account's other functions; reserved_concurrency sets it.
  #checkov:skip=CKV_AWS_116:Only notify is invoked asynchronously, and a failed execution is seen in prod's alarms too; failures of the stream's batches go to the dead-letter queue.
  #checkov:skip=CKV_AWS_117:vpc puts functions into a VPC, whose endpoints have an idle cost; without it, services are accessed over TLS with IAM.
  #checkov:skip=CKV_AWS_173:The variables contain names and hashes, no secrets; Lambda's key encrypts them unless kms_key_arn is set.
  #checkov:skip=CKV_AWS_272:The archive is built and deployed together with this configuration.
  function_name                  = var.name
  description                    = var.description
  role                           = module.role.arn
  runtime                        = "provided.al2023"
  handler                        = "bootstrap"
  architectures                  = [var.architecture]
  filename                       = var.archive
  source_code_hash               = filebase64sha256(var.archive)
  memory_size                    = var.memory_mib
  timeout                        = var.timeout_seconds
  reserved_concurrent_executions = var.reserved_concurrency
  kms_key_arn                    = var.kms_key_arn

  dynamic "vpc_config" {
    for_each = var.network == null ? [] : [var.network]
    content {
      subnet_ids         = vpc_config.value.subnet_ids
      security_group_ids = [vpc_config.value.security_group_id]
    }
  }

  ephemeral_storage {
    size = var.scratch_mib
  }

  environment {
    variables = var.environment
  }

  logging_config {
    log_format            = "JSON"
    application_log_level = "INFO"
    system_log_level      = "INFO"
    log_group             = aws_cloudwatch_log_group.this.name
  }

  tracing_config {
    mode = "PassThrough"
  }
}
