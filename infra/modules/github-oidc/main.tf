# The role that a GitHub workflow takes on to deploy this environment: by a token that
# names repository and GitHub environment, so that no key is stored anywhere. It reaches
# what carries this environment's prefix, and the state of Terraform.

locals {
  issuer  = "token.actions.githubusercontent.com"
  arn     = "arn:${var.partition}"
  here    = "${var.region}:${var.account_id}"
  buckets = [for use in ["lake", "artifacts", "web"] : "${local.arn}:s3:::${var.prefix}-${use}-${var.account_id}"]

  # What Terraform does with what it names: [actions] on [resources].
  named = {
    Buckets = [
      ["s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion", "s3:Get*", "s3:List*", "s3:Put*"],
      concat(local.buckets, [for bucket in local.buckets : "${bucket}/*"]),
    ]
    Stream    = [["kinesis:*Stream*", "kinesis:*Tag*"], ["${local.arn}:kinesis:${local.here}:stream/${var.prefix}-*"]]
    Delivery  = [["firehose:*DeliveryStream*"], ["${local.arn}:firehose:${local.here}:deliverystream/${var.prefix}-*"]]
    Store     = [["dynamodb:*Table*", "dynamodb:*ContinuousBackups", "dynamodb:*TimeToLive", "dynamodb:*TagResource", "dynamodb:ListTagsOfResource"], ["${local.arn}:dynamodb:${local.here}:table/${var.prefix}-*"]]
    Queue     = [["sqs:*Queue*"], ["${local.arn}:sqs:${local.here}:${var.prefix}-*"]]
    Topic     = [["sns:*Topic*", "sns:*TagResource", "sns:*TagsForResource", "sns:Subscribe", "sns:Unsubscribe", "sns:GetSubscriptionAttributes"], ["${local.arn}:sns:${local.here}:${var.prefix}-*"]]
    Functions = [["lambda:*Function*", "lambda:*Permission", "lambda:*TagResource", "lambda:GetPolicy", "lambda:ListTags", "lambda:ListVersionsByFunction"], ["${local.arn}:lambda:${local.here}:function:${var.prefix}-*"]]
    Pipeline  = [["states:*StateMachine*", "states:*Execution*", "states:*TagResource", "states:ListTagsForResource"], [for kind in ["stateMachine", "execution"] : "${local.arn}:states:${local.here}:${kind}:${var.prefix}-*"]]
    Schedule  = [["scheduler:*Schedule"], ["${local.arn}:scheduler:${local.here}:schedule/default/${var.prefix}-*"]]
    Catalogue = [
      ["glue:*Database*", "glue:*Job*", "glue:*Table*", "glue:*Tag*", "glue:GetPartitionIndexes"],
      [for kind in ["catalog", "database/${local.database}", "table/${local.database}/*", "job/${var.prefix}-*"] : "${local.arn}:glue:${local.here}:${kind}"],
    ]
    Endpoint = [
      ["sagemaker:*Endpoint*", "sagemaker:*Model", "sagemaker:*TrainingJob"],
      [for kind in ["endpoint", "endpoint-config", "model", "training-job"] : "${local.arn}:sagemaker:${local.here}:${kind}/${var.prefix}*"],
    ]
    Alarms = [
      ["cloudwatch:*Alarm*", "cloudwatch:*Dashboard*", "cloudwatch:*TagResource", "cloudwatch:ListTagsForResource"],
      ["${local.arn}:cloudwatch:${local.here}:alarm:${var.prefix}-*", "${local.arn}:cloudwatch::${var.account_id}:dashboard/${var.prefix}"],
    ]
    Budget = [["budgets:*Budget", "budgets:*TagResource", "budgets:ListTagsForResource"], ["${local.arn}:budgets::${var.account_id}:budget/${var.prefix}-*"]]
    Logs = [
      ["logs:*LogGroup*", "logs:*LogStream*", "logs:*RetentionPolicy", "logs:*TagResource", "logs:ListTagsForResource"],
      [for group in ["lambda", "kinesisfirehose", "apigateway", "vendedlogs/states", "sagemaker/Endpoints"] : "${local.arn}:logs:${local.here}:log-group:/aws/${group}/${var.prefix}*"],
    ]
    JobLogs = [["logs:*LogGroup*", "logs:*LogStream*", "logs:*RetentionPolicy", "logs:*TagResource", "logs:ListTagsForResource"], ["${local.arn}:logs:${local.here}:log-group:/aws-glue/jobs/*"]]
    # It can write roles of this environment, and so what they may do: whoever may run the
    # workflow administers the environment. GitHub's environment decides who may.
    Roles = [["iam:CreateRole", "iam:DeleteRole", "iam:GetRole", "iam:TagRole", "iam:UntagRole", "iam:UpdateRole", "iam:UpdateAssumeRolePolicy", "iam:*RolePolicy", "iam:*RolePolicies", "iam:ListInstanceProfilesForRole", "iam:ListRoleTags"], ["${local.arn}:iam::${var.account_id}:role/${var.prefix}-*"]]
    Oidc  = [["iam:*OpenIDConnectProvider*"], [local.provider_arn]]
    Api   = [["apigateway:DELETE", "apigateway:GET", "apigateway:PATCH", "apigateway:POST", "apigateway:PUT", "apigateway:TagResource"], ["${local.arn}:apigateway:${var.region}::/apis", "${local.arn}:apigateway:${var.region}::/apis/*", "${local.arn}:apigateway:${var.region}::/tags/*"]]
    State = [["s3:DeleteObject", "s3:GetObject", "s3:PutObject"], ["${local.arn}:s3:::${var.state_bucket}/${var.prefix}/*"]]
    # CloudFront and Lambda number what they make: the account is what can bound it.
    Web = [
      ["cloudfront:*CachePolic*", "cloudfront:*Distribution*", "cloudfront:*Function*", "cloudfront:*Invalidation*", "cloudfront:*OriginAccessControl*", "cloudfront:*ResponseHeadersPolic*", "cloudfront:*TagResource", "cloudfront:ListTagsForResource"],
      [for kind in ["cache-policy", "distribution", "function", "origin-access-control", "response-headers-policy"] : "${local.arn}:cloudfront::${var.account_id}:${kind}/*"],
    ]
    Mappings = [["lambda:*EventSourceMapping", "lambda:*TagResource", "lambda:ListTags"], ["${local.arn}:lambda:${local.here}:event-source-mapping:*"]]
    # S3 wants the bucket for a list.
    States = [["s3:ListBucket"], ["${local.arn}:s3:::${var.state_bucket}"]]
  }
  database     = replace(var.prefix, "-", "_")
  provider_arn = var.provider_arn == "" ? aws_iam_openid_connect_provider.github[0].arn : var.provider_arn
}

# An account has one for GitHub, whoever made it: a second one is refused.
resource "aws_iam_openid_connect_provider" "github" {
  count          = var.provider_arn == "" ? 1 : 0
  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "deploy" {
  name                 = "${var.prefix}-deploy"
  description          = "The workflows of ${var.repository} deploy ${var.prefix}."
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
        "${local.issuer}:sub" = "repo:${var.repository}:environment:${var.environment}"
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
      [for sid, named in local.named : { Sid = sid, Effect = "Allow", Action = named[0], Resource = named[1] }],
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
          # Scaling of an endpoint takes on a role of AWS's own, made with the first target.
          Sid       = "ScalingRole"
          Effect    = "Allow"
          Action    = ["iam:CreateServiceLinkedRole"]
          Resource  = ["${local.arn}:iam::${var.account_id}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"]
          Condition = { StringEquals = { "iam:AWSServiceName" = "sagemaker.application-autoscaling.amazonaws.com" } }
        },
        {
          # These know no resource: AWS takes `*` alone. The regions are those in use;
          # CloudFront, IAM and Budgets are in us-east-1.
          Sid    = "Unnamed"
          Effect = "Allow"
          Action = [
            "application-autoscaling:*ScalableTarget*", "application-autoscaling:*ScalingPolic*",
            "application-autoscaling:ListTagsForResource", "application-autoscaling:TagResource",
            "cloudfront:ListCachePolicies", "cloudfront:ListDistributions",
            "lambda:ListEventSourceMappings",
            "logs:*LogDelivery", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
            "logs:ListLogDeliveries", "logs:PutResourcePolicy",
            "sagemaker:ListEndpointConfigs", "sagemaker:ListModels",
            "states:ListStateMachines", "states:ValidateStateMachineDefinition",
          ]
          Resource  = ["*"]
          Condition = { StringEquals = { "aws:RequestedRegion" = distinct([var.region, "us-east-1"]) } }
        },
      ],
    )
  })
}
