# The feature job: Spark shuffles by user, and hands each partition to the worker.

locals {
  name   = "${var.prefix}-features"
  script = "features.py"
  worker = "cartwheel-worker"
  logs   = "/aws-glue/jobs/${local.name}"
}

resource "aws_s3_object" "this" {
  for_each    = { (local.script) = var.script, (local.worker) = var.worker }
  bucket      = var.artifacts_bucket
  key         = each.key
  source      = each.value
  source_hash = filemd5(each.value)
}

# Glue makes these groups itself, but keeps them for good.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps a year; dev two weeks, since it goes with its environment.
  for_each          = toset(["output", "error"])
  name              = "${local.logs}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source               = "../role"
  name                 = local.name
  description          = "The feature job reads the lake's tables and writes feature sets."
  service              = "glue.amazonaws.com"
  check_source_account = false
  account_id           = var.account_id
  kms_key_arn          = var.kms_key_arn
  statements = [
    {
      Sid      = "List"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
      Resource = [var.lake_arn, var.artifacts_arn]
    },
    {
      Sid    = "Read"
      Effect = "Allow"
      Action = ["s3:GetObject"]
      Resource = concat(
        [for table in ["events", "imports", "orders", "order_products", "products", "features"] : "${var.lake_arn}/${table}/*"],
        [for key in [local.script, local.worker] : "${var.artifacts_arn}/${key}"],
      )
    },
    {
      # Spark writes a file under a temporary name first, and removes that; EMRFS marks folders.
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]
      Resource = ["${var.lake_arn}/features/*", "${var.lake_arn}/features_$folder$"]
    },
    {
      Sid      = "Temporary"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = ["${var.artifacts_arn}/temporary/*"]
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:${local.logs}*"]
    },
    {
      # CloudWatch knows no resource for metrics: the namespace bounds it.
      Sid       = "Metrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = "Glue" } }
    },
  ]
}

resource "aws_glue_job" "features" {
  #checkov:skip=CKV_AWS_195:The buckets encrypt by default, and the log groups are made here; a security configuration would move the logs elsewhere.
  name              = local.name
  description       = "Folds users, merges products, assembles examples: writes a feature set."
  role_arn          = module.role.arn
  glue_version      = "5.0"
  worker_type       = var.worker_type
  number_of_workers = var.max_workers
  timeout           = 240 # minutes
  # The state machine repeats a run that failed.
  max_retries = 0

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.artifacts_bucket}/${aws_s3_object.this[local.script].key}"
  }

  # One run at a time: a second one waits in the state machine's retries.
  execution_property {
    max_concurrent_runs = 1
  }

  # What stays the same from run to run; the state machine gives lake, run and examples.
  default_arguments = {
    "--timezone"               = var.timezone
    "--label-orders"           = "7"
    "--seed"                   = "1"
    "--extra-files"            = "s3://${var.artifacts_bucket}/${aws_s3_object.this[local.worker].key}"
    "--TempDir"                = "s3://${var.artifacts_bucket}/temporary/"
    "--job-language"           = "python"
    "--enable-auto-scaling"    = "true"
    "--enable-metrics"         = "true"
    "--custom-logGroup-prefix" = local.logs
  }

  depends_on = [aws_cloudwatch_log_group.this]
}
