# The feature job: Spark shuffles rows by user and pipes each partition through the worker.

locals {
  name   = "${var.prefix}-features"
  script = "features.py"
  worker = "cartwheel-worker"
  logs   = "/aws-glue/jobs/${local.name}"

  tables = [
    "baskets", "erasures", "events", "features", "imports", "order_products", "orders", "products",
  ]
}

resource "aws_s3_object" "this" {
  for_each    = { (local.script) = var.script, (local.worker) = var.worker }
  bucket      = var.artifacts_bucket
  key         = each.key
  source      = each.value
  source_hash = filemd5(each.value)
}

# Glue would create these groups without an expiry of their logs.
resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  for_each          = toset(["output", "error"])
  name              = "${local.logs}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source               = "../role"
  name                 = local.name
  description          = "Lets the feature job read the lake's tables and write feature sets."
  service              = "glue.amazonaws.com"
  check_source_account = false
  in_network           = var.connection != null
  account_id           = var.account_id
  kms_key_arn          = var.kms_key_arn
  statements = concat([for statement in [
    {
      Sid      = "Connection"
      Effect   = "Allow"
      Action   = ["glue:GetConnection"]
      Resource = [for kind in ["catalog", "connection/${coalesce(var.connection, "none")}"] : "arn:${var.partition}:glue:${var.region}:${var.account_id}:${kind}"]
    },
    {
      # Glue tags the interfaces that it creates.
      Sid       = "Tags"
      Effect    = "Allow"
      Action    = ["ec2:CreateTags", "ec2:DeleteTags"]
      Resource  = ["arn:${var.partition}:ec2:${var.region}:${var.account_id}:network-interface/*"]
      Condition = { "ForAllValues:StringEquals" = { "aws:TagKeys" = ["aws-glue-service-resource"] } }
    },
    ] : statement if var.connection != null], [
    {
      Sid      = "List"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket"]
      Resource = [var.lake_arn, var.artifacts_arn]
    },
    {
      # Hadoop asks for a folder's own key and for its marker before it lists the folder. S3
      # answers 404, which Hadoop expects, only if the role may read that key.
      Sid    = "Read"
      Effect = "Allow"
      Action = ["s3:GetObject"]
      Resource = concat(
        flatten([for table in local.tables : [for key in ["", "/*", "_$folder$"] : "${var.lake_arn}/${table}${key}"]]),
        [for key in [local.script, local.worker] : "${var.artifacts_arn}/${key}"],
      )
    },
    {
      # Spark writes and removes temporary files; EMRFS creates markers of folders.
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]
      Resource = ["${var.lake_arn}/features/*", "${var.lake_arn}/features_$folder$"]
    },
    {
      Sid      = "Temporary"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      Resource = [for key in ["", "/*", "_$folder$"] : "${var.artifacts_arn}/temporary${key}"]
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:${local.logs}*"]
    },
    {
      # Metrics are no resources in IAM; the condition restricts the namespace.
      Sid       = "Metrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = "Glue" } }
    },
  ])
}

resource "aws_glue_job" "features" {
  #checkov:skip=CKV_AWS_195:The buckets are encrypted by default; a security configuration would move the logs to other groups.
  name              = local.name
  description       = "Builds a feature set from the lake's orders and events."
  role_arn          = module.role.arn
  glue_version      = "5.0"
  worker_type       = var.worker_type
  number_of_workers = var.max_workers
  timeout           = 240 # minutes
  # The state machine retries failed runs.
  max_retries = 0
  connections = var.connection == null ? null : [var.connection]

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${var.artifacts_bucket}/${aws_s3_object.this[local.script].key}"
  }

  # One run at a time; the state machine retries a second one until it can start.
  execution_property {
    max_concurrent_runs = 1
  }

  # Arguments that are the same for every run; the state machine adds lake, run and examples.
  default_arguments = {
    "--timezone"               = var.timezone
    "--label"                  = var.label
    "--extra-files"            = "s3://${var.artifacts_bucket}/${aws_s3_object.this[local.worker].key}"
    "--TempDir"                = "s3://${var.artifacts_bucket}/temporary/"
    "--job-language"           = "python"
    "--enable-auto-scaling"    = "true"
    "--enable-metrics"         = "true"
    "--custom-logGroup-prefix" = local.logs
  }

  depends_on = [aws_cloudwatch_log_group.this]
}
