# Resources of SageMaker: the XGBoost image, the role of training jobs and the endpoint, and
# the endpoint's scaling. The state machine creates the endpoint and updates it with each
# model that passes the gate.

data "aws_sagemaker_prebuilt_ecr_image" "xgboost" {
  repository_name = "sagemaker-xgboost"
  image_tag       = "3.0-5"
}

locals {
  serving = var.endpoint_mode == "sagemaker"
  logs    = "arn:${var.partition}:logs:${var.region}:${var.account_id}:log-group:/aws/sagemaker"
  image   = data.aws_sagemaker_prebuilt_ecr_image.xgboost
}

module "role" {
  source      = "../role"
  name        = "${var.prefix}-training"
  description = "Lets training jobs read feature sets and write models, and the endpoint read models."
  service     = "sagemaker.amazonaws.com"
  in_network  = var.network != null
  account_id  = var.account_id
  kms_key_arn = var.kms_key_arn
  statements = [
    {
      Sid       = "List"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [var.lake_arn]
      Condition = { StringLike = { "s3:prefix" = ["features/*", "training/*"] } }
    },
    {
      Sid      = "Read"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = ["${var.lake_arn}/features/*", "${var.lake_arn}/training/*"]
    },
    {
      Sid      = "Write"
      Effect   = "Allow"
      Action   = ["s3:AbortMultipartUpload", "s3:PutObject"]
      Resource = ["${var.lake_arn}/training/*"]
    },
    {
      Sid      = "Image"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = ["arn:${var.partition}:ecr:${var.region}:${local.image.registry_id}:repository/${local.image.repository_name}"]
    },
    {
      # A token is valid for the whole registry, so that there is no resource.
      Sid       = "ImageToken"
      Effect    = "Allow"
      Action    = ["ecr:GetAuthorizationToken"]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
    {
      Sid    = "Log"
      Effect = "Allow"
      Action = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
      Resource = [
        "${local.logs}/TrainingJobs:*",
        "${local.logs}/Endpoints/${var.prefix}*",
      ]
    },
    {
      # Metrics are no resources in IAM; the condition restricts the namespace.
      Sid       = "Metrics"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringLike = { "cloudwatch:namespace" = ["/aws/sagemaker/*", "AWS/SageMaker"] } }
    },
  ]
}

# SageMaker would create the group without an expiry of its logs. All training jobs of the
# account share one group, which is not managed here.
resource "aws_cloudwatch_log_group" "endpoint" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  count             = local.serving ? 1 : 0
  name              = "/aws/sagemaker/Endpoints/${var.prefix}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

# Scaling can be registered only for an existing variant: it is enabled after the first
# execution of the pipeline has created the endpoint, with both variants.
resource "aws_appautoscaling_target" "variant" {
  for_each           = local.serving && var.endpoint_autoscaling ? toset(["a", "b"]) : toset([])
  service_namespace  = "sagemaker"
  scalable_dimension = "sagemaker:variant:DesiredInstanceCount"
  resource_id        = "endpoint/${var.prefix}/variant/${each.key}"
  min_capacity       = var.endpoint_instances.min
  max_capacity       = var.endpoint_instances.max
}

resource "aws_appautoscaling_policy" "variant" {
  for_each           = aws_appautoscaling_target.variant
  name               = "${var.prefix}-invocations-${each.key}"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id

  target_tracking_scaling_policy_configuration {
    target_value       = var.invocations_per_instance
    scale_in_cooldown  = 300
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "SageMakerVariantInvocationsPerInstance"
    }
  }
}
