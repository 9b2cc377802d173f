# The role that GitHub workflows assume to deploy this environment. GitHub's token identifies
# the repository and the GitHub environment, so that no key is stored. The role can access
# resources with this environment's prefix, and the Terraform state.

locals {
  issuer  = "token.actions.githubusercontent.com"
  arn     = "arn:${var.partition}"
  here    = "${var.region}:${var.account_id}"
  buckets = [for use in ["lake", "artifacts", "web"] : "${local.arn}:s3:::${var.prefix}-${use}-${var.account_id}"]

  # Actions of Terraform by the resources they apply to.
  named = {
    Buckets = {
      actions = [
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject",
        "s3:DeleteObjectVersion", "s3:Get*", "s3:List*", "s3:Put*",
      ]
      resources = concat(local.buckets, [for bucket in local.buckets : "${bucket}/*"])
    }
    Stream = {
      actions   = ["kinesis:*Stream*", "kinesis:*Tag*"]
      resources = ["${local.arn}:kinesis:${local.here}:stream/${var.prefix}-*"]
    }
    Delivery = {
      actions   = ["firehose:*DeliveryStream*"]
      resources = ["${local.arn}:firehose:${local.here}:deliverystream/${var.prefix}-*"]
    }
    Store = {
      actions = [
        "dynamodb:*Table*", "dynamodb:*ContinuousBackups", "dynamodb:*TimeToLive",
        "dynamodb:*TagResource", "dynamodb:ListTagsOfResource",
      ]
      resources = ["${local.arn}:dynamodb:${local.here}:table/${var.prefix}-*"]
    }
    Queue = {
      actions   = ["sqs:*Queue*"]
      resources = ["${local.arn}:sqs:${local.here}:${var.prefix}-*"]
    }
    Topic = {
      actions = [
        "sns:*Topic*", "sns:*TagResource", "sns:*TagsForResource", "sns:Subscribe",
      ]
      resources = ["${local.arn}:sns:${local.here}:${var.prefix}-*"]
    }
    Functions = {
      actions = [
        "lambda:*Function*", "lambda:*Permission", "lambda:*TagResource", "lambda:GetPolicy", "lambda:ListTags",
      ]
      resources = ["${local.arn}:lambda:${local.here}:function:${var.prefix}-*"]
    }
    # CloudFront and Lambda generate IDs, so that the account is the only restriction.
    Mappings = {
      actions = [
        "lambda:DeleteEventSourceMapping", "lambda:GetEventSourceMapping", "lambda:UpdateEventSourceMapping",
        "lambda:*TagResource", "lambda:ListTags",
      ]
      resources = ["${local.arn}:lambda:${local.here}:event-source-mapping:*"]
    }
    Web = {
      actions = [
        "cloudfront:*CachePolic*", "cloudfront:*Distribution*", "cloudfront:*Function*",
        "cloudfront:*Invalidation*", "cloudfront:*OriginAccessControl*",
        "cloudfront:*ResponseHeadersPolic*", "cloudfront:*TagResource", "cloudfront:ListTagsForResource",
      ]
      resources = [for kind in [
        "cache-policy", "distribution", "function", "origin-access-control", "response-headers-policy",
      ] : "${local.arn}:cloudfront::${var.account_id}:${kind}/*"]
    }
    Api = {
      actions = [
        "apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT",
      ]
      resources = [for path in ["apis", "apis/*", "tags/*"] : "${local.arn}:apigateway:${var.region}::/${path}"]
    }
    Pipeline = {
      actions = [
        "states:*StateMachine*", "states:*Execution*", "states:*TagResource", "states:ListTagsForResource",
      ]
      resources = [for kind in ["stateMachine", "execution"] : "${local.arn}:states:${local.here}:${kind}:${var.prefix}-*"]
    }
    Events = {
      actions   = ["events:*Rule", "events:*Targets", "events:*TagResource", "events:ListTagsForResource", "events:ListTargetsByRule"]
      resources = ["${local.arn}:events:${local.here}:rule/${var.prefix}-*"]
    }
    Schedule = {
      actions   = ["scheduler:*Schedule"]
      resources = ["${local.arn}:scheduler:${local.here}:schedule/default/${var.prefix}-*"]
    }
    Glue = {
      actions = ["glue:*Connection*", "glue:*Database*", "glue:*Job*", "glue:*Table*", "glue:*Tag*", "glue:GetPartitionIndexes"]
      resources = [for kind in [
        "catalog", "database/${local.database}", "table/${local.database}/*",
        "userDefinedFunction/${local.database}/*", "job/${var.prefix}-*", "connection/${var.prefix}-*",
      ] : "${local.arn}:glue:${local.here}:${kind}"]
    }
    SageMaker = {
      actions = ["sagemaker:*Endpoint*", "sagemaker:*Model", "sagemaker:*TrainingJob"]
      resources = [for kind in [
        "endpoint", "endpoint-config", "model", "training-job",
      ] : "${local.arn}:sagemaker:${local.here}:${kind}/${var.prefix}*"]
    }
    Scaling = {
      actions = [
        "application-autoscaling:DeleteScalingPolicy", "application-autoscaling:DeregisterScalableTarget",
        "application-autoscaling:ListTagsForResource", "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:RegisterScalableTarget", "application-autoscaling:TagResource",
      ]
      resources = ["${local.arn}:application-autoscaling:${local.here}:scalable-target/*"]
    }
    Alarms = {
      actions = [
        "cloudwatch:*Alarm*", "cloudwatch:*Dashboard*", "cloudwatch:*TagResource",
        "cloudwatch:ListTagsForResource",
      ]
      resources = [
        "${local.arn}:cloudwatch:${local.here}:alarm:${var.prefix}-*",
        "${local.arn}:cloudwatch::${var.account_id}:dashboard/${var.prefix}",
      ]
    }
    Budget = {
      actions   = ["budgets:*Budget", "budgets:*TagResource", "budgets:ListTagsForResource"]
      resources = ["${local.arn}:budgets::${var.account_id}:budget/${var.prefix}-*"]
    }
    Logs = {
      actions = [
        "logs:*LogGroup*", "logs:*LogStream*", "logs:*RetentionPolicy", "logs:*TagResource",
        "logs:ListTagsForResource",
      ]
      # All jobs of the account log to these groups of Glue and SageMaker; scripts/destroy
      # deletes the streams of this environment's jobs.
      resources = [for group in [
        "/aws/lambda/${var.prefix}-*", "/aws/kinesisfirehose/${var.prefix}-*", "/aws/apigateway/${var.prefix}-*",
        "/aws/vendedlogs/states/${var.prefix}-*", "/aws/sagemaker/Endpoints/${var.prefix}*",
        "/aws/sagemaker/TrainingJobs:*", "/aws-glue/jobs/*",
      ] : "${local.arn}:logs:${local.here}:log-group:${group}"]
    }
    # Writing roles includes granting them permissions: everyone who can run the workflow is
    # an administrator of this environment. The GitHub environment restricts who can.
    Roles = {
      actions = [
        "iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole",
        "iam:UpdateAssumeRolePolicy", "iam:*RolePolicy", "iam:*RolePolicies",
        "iam:ListInstanceProfilesForRole", "iam:ListRoleTags",
      ]
      resources = ["${local.arn}:iam::${var.account_id}:role/${var.prefix}-*"]
    }
    GitHub = {
      actions   = ["iam:*OpenIDConnectProvider", "iam:*OpenIDConnectProviderThumbprint"]
      resources = [local.provider_arn]
    }
    State = {
      actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
      resources = ["${local.arn}:s3:::${var.state_bucket}/${var.prefix}/*"]
    }
    States = {
      actions   = ["s3:ListBucket"]
      resources = ["${local.arn}:s3:::${var.state_bucket}"]
    }
  }
  # Tokens of repositories created, renamed or transferred since July 2026 name them with their
  # IDs, which nobody can take over: owner@1/name@2. Tokens of older ones have the names alone.
  named_by_name = replace(var.repository, "/@[0-9]+/", "")
  database      = replace(var.prefix, "-", "_")
  provider_arn  = var.provider_arn == "" ? aws_iam_openid_connect_provider.github[0].arn : var.provider_arn
}

# An account can have only one provider for GitHub.
resource "aws_iam_openid_connect_provider" "github" {
  count          = var.provider_arn == "" ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.prefix}-deploy"
  description          = "Lets the workflows of ${var.repository} deploy ${var.prefix}."
  max_session_duration = 7200
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Workflow"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = local.provider_arn }
      Condition = { StringEquals = {
        "${local.issuer}:aud" = "sts.amazonaws.com"
        "${local.issuer}:sub" = [for name in distinct([local.named_by_name, var.repository]) : "repo:${name}:environment:${var.environment}"]
      } }
    }]
  })
}

resource "aws_iam_role_policy" "deploy" {
  name = aws_iam_role.deploy.name
  role = aws_iam_role.deploy.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for sid, named in local.named : { Sid = sid, Effect = "Allow", Action = named.actions, Resource = named.resources }],
      [
        {
          Sid      = "HandRoles"
          Effect   = "Allow"
          Action   = ["iam:PassRole"]
          Resource = ["${local.arn}:iam::${var.account_id}:role/${var.prefix}-*"]
          Condition = { StringEquals = { "iam:PassedToService" = [for service in [
            "apigateway", "firehose", "glue", "lambda", "sagemaker", "scheduler", "states",
          ] : "${service}.amazonaws.com"] } }
        },
        {
          # The first scaling target of an account creates a service-linked role.
          Sid       = "ScalingRole"
          Effect    = "Allow"
          Action    = ["iam:CreateServiceLinkedRole"]
          Resource  = ["${local.arn}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]
          Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
        },
        {
          Sid       = "MapEvents"
          Effect    = "Allow"
          Action    = ["lambda:CreateEventSourceMapping"]
          Resource  = ["*"]
          Condition = { ArnLike = { "lambda:FunctionArn" = "${local.arn}:lambda:${local.here}:function:${var.prefix}-*" } }
        },
        {
          # These actions apply to no resource, only to `*`; the condition restricts the region.
          # CloudFront, IAM and Budgets are in us-east-1.
          Sid    = "Unnamed"
          Effect = "Allow"
          Action = [
            "application-autoscaling:DescribeScalableTargets",
            "application-autoscaling:DescribeScalingPolicies",
            "cloudfront:CreateOriginAccessControl", "cloudfront:ListCachePolicies",
            "cloudfront:ListDistributions",
            "kinesis:UpdateStreamMode",
            "lambda:GetAccountSettings", "lambda:ListEventSourceMappings",
            "logs:*LogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
            "logs:ListLogDeliveries", "logs:PutResourcePolicy",
            "sagemaker:ListEndpointConfigs", "sagemaker:ListModels",
            "servicequotas:ListServiceQuotas",
            "sns:GetSubscriptionAttributes", "sns:Unsubscribe",
            "states:ListStateMachines", "states:ValidateStateMachineDefinition",
          ]
          Resource  = ["*"]
          Condition = { StringEquals = { "aws:RequestedRegion" = distinct([var.region, "us-east-1"]) } }
        },
      ],
      [for statement in [
        {
          # A network has generated IDs.
          Sid    = "Network"
          Effect = "Allow"
          Action = ["ec2:*RouteTable*", "ec2:*SecurityGroup*", "ec2:*Subnet*", "ec2:*Tags", "ec2:*Vpc", "ec2:*VpcAttribute", "ec2:*VpcEndpoint*"]
          Resource = [for kind in [
            "network-interface", "route-table", "security-group", "security-group-rule", "subnet", "vpc", "vpc-endpoint",
          ] : "${local.arn}:ec2:${local.here}:${kind}/*"]
        },
        {
          Sid       = "NetworkFacts"
          Effect    = "Allow"
          Action    = ["ec2:DescribeAvailabilityZones", "ec2:DescribeNetworkAcls", "ec2:DescribeNetworkInterfaces", "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs"]
          Resource  = ["*"]
          Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
        },
      ] : statement if var.vpc],
    )
  })
}
