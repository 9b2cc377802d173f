# The stream of events: ordered per user, since the partition key is the user's id.

resource "aws_kinesis_stream" "events" {
  name             = "${var.prefix}-events"
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = coalesce(var.kms_key_arn, "alias/aws/kinesis")
  shard_count      = var.shards

  # On demand there is no shard to plan; a fixed number is cheaper for a small, even load.
  stream_mode_details {
    stream_mode = var.shards == null ? "ON_DEMAND" : "PROVISIONED"
  }

  # A consumer that somebody registered by hand would keep a destroy from ending.
  enforce_consumer_deletion = !var.protect
}

# Records that could not be processed, with the reason: fourteen days to look at them.
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
