# Tests of the modules that store data: buckets, stream, table, delivery.

mock_provider "aws" {
  source = "./tests/mocks"
}

variables {
  prefix             = "cartwheel-test"
  account_id         = "123456789012"
  protect            = true
  log_retention_days = 365
}

run "bucket" {
  module {
    source = "../bucket"
  }
  variables {
    name                   = "cartwheel-test-lake-123456789012"
    force_destroy          = false
    expire_days            = { "errors/" = 90 }
    expire_noncurrent_days = { "features/" = 7 }
  }
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.this.block_public_acls,
      aws_s3_bucket_public_access_block.this.block_public_policy,
      aws_s3_bucket_public_access_block.this.ignore_public_acls,
      aws_s3_bucket_public_access_block.this.restrict_public_buckets,
    ])
    error_message = "No bucket is public."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Without a customer-managed key, the keys of S3 encrypt."
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false" && jsondecode(aws_s3_bucket_policy.this.policy).Statement[0].Effect == "Deny"
    error_message = "A bucket is accessible over TLS only."
  }
  assert {
    condition     = !aws_s3_bucket.this.force_destroy
    error_message = "A protected bucket with objects cannot be destroyed."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.this.rule : rule.id] == ["abandoned-uploads", "expire-errors", "expire-noncurrent-features"]
    error_message = "Only objects under the given prefixes expire."
  }
}

run "bucket_with_a_customer_managed_key" {
  module {
    source = "../bucket"
  }
  variables {
    name          = "cartwheel-test-lake-123456789012"
    force_destroy = true
    kms_key_arn   = "arn:aws:kms:eu-central-1:123456789012:key/1"
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.this.rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
    error_message = "The customer-managed key encrypts."
  }
  assert {
    condition     = aws_s3_bucket.this.force_destroy
    error_message = "An unprotected bucket is destroyed with its objects."
  }
}

run "stream_on_demand" {
  module {
    source = "../stream"
  }
  variables {
    retention_hours = 168
  }
  assert {
    condition     = aws_kinesis_stream.events.encryption_type == "KMS" && aws_kinesis_stream.events.kms_key_id == "alias/aws/kinesis"
    error_message = "The stream is encrypted."
  }
  assert {
    condition     = one(aws_kinesis_stream.events.stream_mode_details).stream_mode == "ON_DEMAND" && aws_kinesis_stream.events.retention_period == 168
    error_message = "The stream is on-demand and keeps records for a week."
  }
  assert {
    condition     = aws_sqs_queue.dead_letters.sqs_managed_sse_enabled && aws_sqs_queue.dead_letters.message_retention_seconds == 1209600
    error_message = "Dead letters are encrypted and kept for 14 days."
  }
}

run "stream_of_two_shards" {
  module {
    source = "../stream"
  }
  variables {
    retention_hours = 24
    shards          = 2
  }
  assert {
    condition     = one(aws_kinesis_stream.events.stream_mode_details).stream_mode == "PROVISIONED" && aws_kinesis_stream.events.shard_count == 2
    error_message = "A number of shards makes the stream provisioned."
  }
}

run "protected_table" {
  module {
    source = "../store"
  }
  assert {
    condition     = aws_dynamodb_table.users.deletion_protection_enabled && one(aws_dynamodb_table.users.point_in_time_recovery).enabled
    error_message = "A protected table has deletion protection and point-in-time recovery."
  }
  assert {
    condition     = one(aws_dynamodb_table.users.server_side_encryption).enabled
    error_message = "The table is encrypted."
  }
  assert {
    condition     = one(aws_dynamodb_table.users.ttl).attribute_name == "expires_at" && one(aws_dynamodb_table.users.ttl).enabled
    error_message = "Sessions expire."
  }
}

run "unprotected_table" {
  module {
    source = "../store"
  }
  variables {
    protect = false
  }
  assert {
    condition     = !aws_dynamodb_table.users.deletion_protection_enabled && !one(aws_dynamodb_table.users.point_in_time_recovery).enabled
    error_message = "An unprotected table can be deleted."
  }
}

run "delivery" {
  module {
    source = "../delivery"
  }
  variables {
    stream_arn     = "arn:aws:kinesis:eu-central-1:123456789012:stream/cartwheel-test-events"
    lake_bucket    = "cartwheel-test-lake-123456789012"
    lake_arn       = "arn:aws:s3:::cartwheel-test-lake-123456789012"
    buffer_mib     = 128
    buffer_seconds = 300
  }
  assert {
    condition     = one(aws_kinesis_firehose_delivery_stream.this["events"].kinesis_source_configuration).kinesis_stream_arn == var.stream_arn
    error_message = "Events come from the stream."
  }
  assert {
    condition     = length(aws_kinesis_firehose_delivery_stream.this["impressions"].kinesis_source_configuration) == 0 && one(aws_kinesis_firehose_delivery_stream.this["impressions"].server_side_encryption).enabled
    error_message = "Impressions come from the API and are encrypted while they are buffered."
  }
  assert {
    condition     = toset(keys(aws_glue_catalog_table.this)) == toset(["events", "impressions", "orders", "order_products", "products", "baskets"])
    error_message = "The catalogue contains the lake's tables."
  }
  assert {
    condition     = aws_glue_catalog_table.imported_events.parameters["storage.location.template"] == "s3://cartwheel-test-lake-123456789012/events/import=$${import_id}/"
    error_message = "Imported events are found by their import."
  }
  assert {
    condition     = one(aws_glue_catalog_table.imported_events.storage_descriptor).columns == one(aws_glue_catalog_table.this["events"].storage_descriptor).columns
    error_message = "Imported events have the columns of delivered ones."
  }
  assert {
    condition     = toset(keys(aws_glue_catalog_table.view)) == toset(["users", "purchases"])
    error_message = "The catalogue contains readable views."
  }
  assert {
    condition     = aws_glue_catalog_table.this["events"].parameters["storage.location.template"] == "s3://cartwheel-test-lake-123456789012/events/year=$${year}/month=$${month}/day=$${day}/hour=$${hour}/"
    error_message = "Partitions of events are computed from the time."
  }
  assert {
    condition     = [for column in one(aws_glue_catalog_table.this["events"].storage_descriptor).columns : column.name][0] == "schema_version"
    error_message = "Columns are in the order of the records' fields."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 365])
    error_message = "Logs are kept for the given number of days."
  }
}

run "delivery_needs_64_mib_for_parquet" {
  command = plan
  module {
    source = "../delivery"
  }
  variables {
    stream_arn     = "arn:aws:kinesis:eu-central-1:123456789012:stream/cartwheel-test-events"
    lake_bucket    = "cartwheel-test-lake-123456789012"
    lake_arn       = "arn:aws:s3:::cartwheel-test-lake-123456789012"
    buffer_mib     = 5
    buffer_seconds = 300
  }
  expect_failures = [var.buffer_mib]
}
