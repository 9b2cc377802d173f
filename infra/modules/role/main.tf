# A role that one service of this account assumes, with one inline policy, so that its
# permissions are defined next to their use and are not shared.

locals {
  # With a customer-managed key, access to encrypted data needs access to the key.
  key = var.kms_key_arn == null ? [] : [{
    Sid      = "Key"
    Effect   = "Allow"
    Action   = ["kms:Decrypt", "kms:GenerateDataKey"]
    Resource = [var.kms_key_arn]
  }]
  trust = {
    Sid       = "Service"
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = var.service }
  }
  only_own_account = { Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } } }
}

resource "aws_iam_role" "this" {
  name        = var.name
  description = var.description
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [merge(local.trust, var.check_source_account ? local.only_own_account : {})]
  })
}

resource "aws_iam_role_policy" "this" {
  name = var.name
  role = aws_iam_role.this.id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(var.statements, local.key)
  })
}
