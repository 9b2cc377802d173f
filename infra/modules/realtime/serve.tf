# The rights of `cartwheel serve --backend aws`, which an operator runs to change placements, rules and
# synonyms. Nothing here has them: the operator attaches the policy to the role of the machine.

locals {
  serve_policy = {
    Version = "2012-10-17"
    Statement = concat(local.answering, [
      {
        Sid      = "Configure"
        Effect   = "Allow"
        Action   = ["s3:PutObject"]
        Resource = ["${var.lake_arn}/documents/*", "${var.lake_arn}/snapshots/*"]
      },
      {
        # As the function needs it.
        Sid       = "ListRelease"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [var.lake_arn]
        Condition = { StringLikeIfExists = { "s3:prefix" = [for folder in local.served : "${folder}/*"] } }
      },
      ], var.kms_key_arn == null ? [] : [{
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
    }])
  }
}
