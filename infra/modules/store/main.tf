# What one recommendation reads of a user: the session and the feature record, chunked
# where it is larger than an item may be.

resource "aws_dynamodb_table" "users" {
  #checkov:skip=CKV_AWS_28:Prod has it; dev is for trying out, and its records are made again by the pipeline.
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

  # Without a customer's key, the AWS-managed one.
  server_side_encryption {
    enabled     = true
    kms_key_arn = var.kms_key_arn
  }
}
