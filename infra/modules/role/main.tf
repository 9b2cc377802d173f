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
  # Interfaces have no names before they exist; the account and the region are the only restriction.
  ec2 = "arn:${data.aws_partition.here.partition}:ec2:${data.aws_region.here.region}:${data.aws_caller_identity.here.account_id}"
  interfaces = [for statement in [
    {
      Sid    = "NetworkInterfaces"
      Effect = "Allow"
      Action = [
        "ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission",
        "ec2:DeleteNetworkInterface", "ec2:UnassignPrivateIpAddresses",
      ]
      Resource = [for kind in ["network-interface", "security-group", "subnet"] : "${local.ec2}:${kind}/*"]
    },
    {
      Sid      = "NetworkAttributes"
      Effect   = "Allow"
      Action   = ["ec2:DescribeVpcAttribute"]
      Resource = ["${local.ec2}:vpc/*"]
    },
    {
      Sid    = "Network"
      Effect = "Allow"
      Action = [
        "ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
      ]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = data.aws_region.here.region } }
    },
  ] : statement if var.in_network]
  trust = {
    Sid       = "Service"
    Effect    = "Allow"
    Action    = "sts:AssumeRole"
    Principal = { Service = var.service }
  }
  only_own_account = { Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } } }
}

data "aws_caller_identity" "here" {}

data "aws_partition" "here" {}

data "aws_region" "here" {}

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
    Statement = concat(var.statements, local.key, local.interfaces)
  })
}
