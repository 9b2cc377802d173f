# The users table: sessions and feature records, which are split into chunks where they exceed
# the size limit of an item.

resource "aws_dynamodb_table" "users" {
  #checkov:skip=CKV_AWS_28:Prod has it; dev is temporary, and the pipeline can create its records again.
  name                        = "${var.prefix}-users"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "user_id"
  range_key                   = "item"
  deletion_protection_enabled = var.protect

  attribute {
    name = "user_id"
    type = "S"
  }

  attribute {
    name = "item"
    type = "S"
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = var.protect
  }

  dynamic "warm_throughput" {
    for_each = var.warm_throughput == null ? [] : [var.warm_throughput]
    content {
      read_units_per_second  = warm_throughput.value.read
      write_units_per_second = warm_throughput.value.write
    }
  }

  # The AWS-managed key unless a customer-managed key is set.
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
