# Delivery writes records to Parquet files when a size or a time is reached. Records that
# cannot be converted go to errors/ with the reason and are kept for 90 days.

locals {
  # Events come from the stream, impressions from the API.
  sources = { events = var.stream_arn, impressions = null }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  for_each          = local.sources
  name              = "/aws/kinesisfirehose/${var.prefix}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_cloudwatch_log_stream" "this" {
  for_each       = local.sources
  name           = "delivery"
  log_group_name = aws_cloudwatch_log_group.this[each.key].name
}

module "role" {
  for_each             = local.sources
  source               = "../role"
  name                 = "${var.prefix}-delivery-${each.key}"
  description          = "Lets Firehose deliver ${each.key} to the lake."
  service              = "firehose.amazonaws.com"
  check_source_account = false
  account_id           = var.account_id
  kms_key_arn          = var.kms_key_arn
  statements = concat([
    {
      Sid      = "Bucket"
      Effect   = "Allow"
      Action   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
      Resource = [var.lake_arn]
    },
    {
      Sid      = "Objects"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
      Resource = ["${var.lake_arn}/${each.key}/*", "${var.lake_arn}/errors/${each.key}/*"]
    },
    {
      Sid    = "Schema"
      Effect = "Allow"
      Action = ["glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"]
      Resource = [
        replace(aws_glue_catalog_database.lake.arn, "/:database\\/.*/", ":catalog"),
        aws_glue_catalog_database.lake.arn,
        aws_glue_catalog_table.this[each.key].arn,
      ]
    },
    {
      Sid      = "Log"
      Effect   = "Allow"
      Action   = ["logs:PutLogEvents"]
      Resource = ["${aws_cloudwatch_log_group.this[each.key].arn}:log-stream:*"]
    },
    ], each.value == null ? [] : [{
      Sid      = "Source"
      Effect   = "Allow"
      Action   = ["kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator", "kinesis:ListShards"]
      Resource = [each.value]
  }])
}

resource "aws_kinesis_firehose_delivery_stream" "this" {
  #checkov:skip=CKV_AWS_241:kms_key_arn sets a customer-managed key, which has an idle cost. Records of the stream are encrypted there.
  for_each    = local.sources
  name        = "${var.prefix}-${each.key}"
  destination = "extended_s3"

  dynamic "kinesis_source_configuration" {
    for_each = each.value == null ? [] : [each.value]
    content {
      kinesis_stream_arn = kinesis_source_configuration.value
      role_arn           = module.role[each.key].arn
    }
  }

  # Firehose does not support encryption of its own when the source is a stream.
  dynamic "server_side_encryption" {
    for_each = each.value == null ? [true] : []
    content {
      enabled  = true
      key_type = var.kms_key_arn == null ? "AWS_OWNED_CMK" : "CUSTOMER_MANAGED_CMK"
      key_arn  = var.kms_key_arn
    }
  }

  extended_s3_configuration {
    role_arn            = module.role[each.key].arn
    bucket_arn          = var.lake_arn
    prefix              = "${each.key}/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"
    error_output_prefix = "errors/${each.key}/!{firehose:error-output-type}/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/"
    custom_time_zone    = "UTC"
    buffering_size      = var.buffer_mib
    buffering_interval  = var.buffer_seconds
    # Parquet pages are already compressed.
    compression_format = "UNCOMPRESSED"
    kms_key_arn        = var.kms_key_arn

    data_format_conversion_configuration {
      input_format_configuration {
        deserializer {
          open_x_json_ser_de {
            case_insensitive = false
          }
        }
      }
      output_format_configuration {
        serializer {
          parquet_ser_de {
            compression = "SNAPPY"
          }
        }
      }
      schema_configuration {
        role_arn      = module.role[each.key].arn
        catalog_id    = var.account_id
        database_name = aws_glue_catalog_database.lake.name
        table_name    = aws_glue_catalog_table.this[each.key].name
        version_id    = "LATEST"
      }
    }

    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = aws_cloudwatch_log_group.this[each.key].name
      log_stream_name = aws_cloudwatch_log_stream.this[each.key].name
    }
  }
}
