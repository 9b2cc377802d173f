# A private bucket: encrypted, versioned, without ACLs, reached over TLS alone.

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs cost a second bucket; CloudTrail's data events are the account's choice.
  #checkov:skip=CKV_AWS_144:A copy in another region bills for all data again; versions guard against mistakes.
  #checkov:skip=CKV2_AWS_62:Nothing listens: the pipeline runs when it is started, not when a file appears.
  bucket        = var.name
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  bucket                  = aws_s3_bucket.this.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  bucket = aws_s3_bucket.this.id
  rule {
    # One call to KMS for many objects.
    bucket_key_enabled = var.kms_key_arn != null
    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_versioning" "this" {
  bucket = aws_s3_bucket.this.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_policy" "this" {
  bucket = aws_s3_bucket.this.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat([{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this.arn, "${aws_s3_bucket.this.arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }], var.statements)
  })
  # S3 refuses to change both at once.
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  bucket = aws_s3_bucket.this.id

  rule {
    id     = "abandoned-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  dynamic "rule" {
    for_each = var.expire_days
    content {
      id     = "expire-${trim(rule.key, "/")}"
      status = "Enabled"
      filter {
        prefix = rule.key
      }
      expiration {
        days = rule.value
      }
    }
  }

  dynamic "rule" {
    for_each = var.expire_noncurrent_days
    content {
      id     = "expire-noncurrent-${rule.key == "" ? "all" : trim(rule.key, "/")}"
      status = "Enabled"
      filter {
        prefix = rule.key == "" ? null : rule.key
      }
      noncurrent_version_expiration {
        noncurrent_days = rule.value
      }
    }
  }

  # Rules on versions hold once there are versions.
  depends_on = [aws_s3_bucket_versioning.this]
}
