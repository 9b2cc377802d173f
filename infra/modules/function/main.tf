# One Lambda function: a static binary, its own role, its own log group.

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps a year; dev two weeks, since it goes with its environment.
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source               = "../role"
  name                 = var.name
  description          = "What the function ${var.name} may do."
  service              = "lambda.amazonaws.com"
  account_id           = var.account_id
  check_source_account = false
  kms_key_arn          = var.kms_key_arn
  statements = concat(var.statements, [{
    Sid      = "Log"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    Resource = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }])
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:Traces bill for each request; logs carry the request id, and PassThrough follows a caller who traces.
  #checkov:skip=CKV_AWS_115:A reservation takes from the account's other functions; reserved_concurrency sets one.
  #checkov:skip=CKV_AWS_116:No function is invoked asynchronously: API Gateway and Step Functions wait, the stream's failures go to the dead letters.
  #checkov:skip=CKV_AWS_117:There is no VPC, hence no NAT gateway; every service is reached over TLS and IAM.
  #checkov:skip=CKV_AWS_173:The variables hold names and hashes, no secret; Lambda's own key encrypts them, kms_key_arn changes it.
  #checkov:skip=CKV_AWS_272:The archive comes from the same checkout as this configuration, by the same hands.
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
