# The rights of `cartwheel serve --backend aws`, which an operator runs to change placements, rules and
# synonyms. Nothing here has them: the operator attaches the policy to the role of the machine.

locals {
  # What answers are computed again from, beside the release.
  repeated = ["erasures", "events", "impressions"]

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
        Sid      = "RepeatAnswers"
        Effect   = "Allow"
        Action   = ["s3:GetObject"]
        Resource = [for folder in local.repeated : "${var.lake_arn}/${folder}/*"]
      },
      {
        # As the function needs it.
        Sid       = "ListRelease"
        Effect    = "Allow"
        Action    = ["s3:ListBucket"]
        Resource  = [var.lake_arn]
        Condition = { StringLikeIfExists = { "s3:prefix" = [for folder in concat(local.served, local.repeated) : "${folder}/*"] } }
      },
      ], var.kms_key_arn == null ? [] : [{
        Sid      = "Key"
        Effect   = "Allow"
        Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource = [var.kms_key_arn]
    }])
  }
}
