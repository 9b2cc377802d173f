# The stream of events. The partition key is the user's ID, so that each user's events are ordered.

resource "aws_kinesis_stream" "events" {
  name             = "${var.prefix}-events"
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = coalesce(var.kms_key_arn, "alias/aws/kinesis")
  shard_count      = var.shards

  # On-demand streams need no planning; a fixed number of shards is cheaper for a small, steady load.
  stream_mode_details {
    stream_mode = var.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }

  # A manually registered consumer would otherwise prevent a destroy.
  enforce_consumer_deletion = !var.protect
}

# The dead-letter queue: records that could not be processed, with the reason, for 14 days.
resource "aws_sqs_queue" "dead_letters" {
  name                              = "${var.prefix}-dead-letters"
  message_retention_seconds         = 1209600
  sqs_managed_sse_enabled           = var.kms_key_arn == null ? true : null
  kms_master_key_id                 = var.kms_key_arn
  kms_data_key_reuse_period_seconds = 300
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "sqs:*"
      Resource  = aws_sqs_queue.dead_letters.arn
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}
