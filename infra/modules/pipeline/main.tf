# The state machine. Its role allows each integration of the definition on the resources of
# this environment. Names of executions start with the environment's prefix, since training
# jobs, models and endpoint configurations are named after them.

locals {
  name      = "${var.prefix}-pipeline"
  sagemaker = "arn:${var.partition}:sagemaker:${var.region}:${var.account_id}"

  # The definition has the same states for every environment. In a VPC, training and models get its
  # subnets, which a definition cannot leave out by its input.
  definition = jsondecode(file(var.definition))
  vpc_config = var.network == null ? {} : { VpcConfig = {
    Subnets          = var.network.subnet_ids
    SecurityGroupIds = [var.network.security_group_id]
  } }
  trained = { for outer, inner in { TryOut = "TrainTrial", CrossValidate = "TrainFold" } :
    outer => merge(local.definition.States[outer], { ItemProcessor = merge(local.definition.States[outer].ItemProcessor, {
      States = merge(local.definition.States[outer].ItemProcessor.States, {
        (inner) = merge(local.definition.States[outer].ItemProcessor.States[inner], {
          Parameters = merge(local.definition.States[outer].ItemProcessor.States[inner].Parameters, local.vpc_config)
        })
      })
    }) })
  }
  in_network = merge(local.definition, { States = merge(local.definition.States, local.trained, {
    for name in ["Train", "CreateModel"] : name => merge(local.definition.States[name], {
      Parameters = merge(local.definition.States[name].Parameters, local.vpc_config)
    })
  }) })

  # The input of an execution.
  input = jsonencode({
    lake            = "s3://${var.lake_bucket}"
    functions       = { for name, function in var.functions : name => function.name }
    features        = { job = var.features_job, max_examples = tostring(var.max_examples) }
    training        = { image = var.training_image, role = var.training_role_arn, instance = var.training_instance, search = var.search }
    endpoint        = { mode = var.endpoint_mode, name = var.prefix, instance = var.endpoint_instance }
    gate            = { margin = var.gate_margin, min_users = var.gate_min_users }
    hyperparameters = var.hyperparameters
  })

  endpoint_statements = var.endpoint_mode == "embedded" ? [] : [
    {
      Sid    = "Endpoint"
      Effect = "Allow"
      Action = [
        "sagemaker:AddTags",
        "sagemaker:CreateEndpoint",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:CreateModel",
        "sagemaker:DescribeEndpoint",
        "sagemaker:UpdateEndpoint",
      ]
      Resource = [
        "${local.sagemaker}:model/${var.prefix}-*",
        "${local.sagemaker}:endpoint-config/${var.prefix}-*",
        "${local.sagemaker}:endpoint/${var.prefix}",
      ]
    },
  ]
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  # Groups with this prefix need no entry in the account's resource policy.
  name              = "/aws/vendedlogs/states/${local.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

module "role" {
  source      = "../role"
  name        = local.name
  description = "Lets the pipeline run its jobs and functions."
  service     = "states.amazonaws.com"
  account_id  = var.account_id
  kms_key_arn = var.kms_key_arn
  statements = concat([
    {
      # glue:startJobRun.sync starts, polls and stops the job.
      Sid      = "Features"
      Effect   = "Allow"
      Action   = ["glue:BatchStopJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
      Resource = [var.features_job_arn]
    },
    {
      Sid      = "Functions"
      Effect   = "Allow"
      Action   = ["lambda:InvokeFunction"]
      Resource = [for function in var.functions : function.arn]
    },
    {
      # sagemaker:createTrainingJob.sync tags, polls and stops the job.
      Sid    = "Training"
      Effect = "Allow"
      Action = [
        "sagemaker:AddTags",
        "sagemaker:CreateTrainingJob",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:ListTags",
        "sagemaker:StopTrainingJob",
      ]
      Resource = ["${local.sagemaker}:training-job/${var.prefix}-*"]
    },
    {
      Sid       = "HandRole"
      Effect    = "Allow"
      Action    = ["iam:PassRole"]
      Resource  = [var.training_role_arn]
      Condition = { StringEquals = { "iam:PassedToService" = "sagemaker.amazonaws.com" } }
    },
    {
      # Step Functions creates this rule to be notified of the end of training jobs.
      Sid      = "TrainingEvents"
      Effect   = "Allow"
      Action   = ["events:DescribeRule", "events:PutRule", "events:PutTargets"]
      Resource = ["arn:${var.partition}:events:${var.region}:${var.account_id}:rule/StepFunctionsGetEventsForSageMakerTrainingJobsRule"]
    },
    {
      # Log deliveries have no ARN; the condition restricts the region.
      Sid    = "LogDelivery"
      Effect = "Allow"
      Action = [
        "logs:CreateLogDelivery",
        "logs:DeleteLogDelivery",
        "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies",
        "logs:GetLogDelivery",
        "logs:ListLogDeliveries",
        "logs:PutResourcePolicy",
        "logs:UpdateLogDelivery",
      ]
      Resource  = ["*"]
      Condition = { StringEquals = { "aws:RequestedRegion" = var.region } }
    },
  ], local.endpoint_statements)
}

resource "aws_sfn_state_machine" "this" {
  #checkov:skip=CKV_AWS_284:Traces are billed per execution; the execution's history has the same information.
  name       = local.name
  type       = "STANDARD"
  role_arn   = module.role.arn
  definition = var.network == null ? file(var.definition) : jsonencode(local.in_network)

  logging_configuration {
    level                  = "ALL"
    include_execution_data = true
    log_destination        = "${aws_cloudwatch_log_group.this.arn}:*"
  }

  dynamic "encryption_configuration" {
    for_each = var.kms_key_arn == null ? [] : [var.kms_key_arn]
    content {
      type       = "CUSTOMER_MANAGED_KMS_KEY"
      kms_key_id = encryption_configuration.value
    }
  }
}

# Notices of executions that failed, timed out or were aborted. No state of the definition sends
# them: a state after a failed task would be what a redrive continues with.

resource "aws_cloudwatch_event_rule" "ended" {
  name        = "${var.prefix}-pipeline-failed"
  description = "Executions of the pipeline that did not succeed."
  event_pattern = jsonencode({
    source      = ["aws.states"]
    detail-type = ["Step Functions Execution Status Change"]
    detail = {
      stateMachineArn = [aws_sfn_state_machine.this.arn]
      status          = ["FAILED", "TIMED_OUT", "ABORTED"]
    }
  })
}

resource "aws_cloudwatch_event_target" "notify" {
  rule       = aws_cloudwatch_event_rule.ended.name
  target_id  = "notify"
  arn        = var.functions["notify"].arn
  input_path = "$.detail"
}

resource "aws_lambda_permission" "notify" {
  statement_id  = "failed-executions"
  action        = "lambda:InvokeFunction"
  function_name = var.functions["notify"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.ended.arn
}

# The optional schedule.

module "scheduler_role" {
  count       = var.schedule == "" ? 0 : 1
  source      = "../role"
  name        = "${var.prefix}-schedule"
  description = "Lets the schedule start the pipeline."
  service     = "scheduler.amazonaws.com"
  account_id  = var.account_id
  kms_key_arn = var.kms_key_arn
  statements = [{
    Sid      = "Start"
    Effect   = "Allow"
    Action   = ["states:StartExecution"]
    Resource = [aws_sfn_state_machine.this.arn]
  }]
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:kms_key_arn sets a customer-managed key; the data consists of names.
  count                        = var.schedule == "" ? 0 : 1
  name                         = local.name
  description                  = "Runs the pipeline."
  schedule_expression          = var.schedule
  schedule_expression_timezone = var.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${var.partition}:scheduler:::aws-sdk:sfn:startExecution"
    role_arn = module.scheduler_role[0].arn
    # Scheduler replaces <…> in the text; jsonencode would escape the brackets.
    input = replace(replace(jsonencode({
      StateMachineArn = aws_sfn_state_machine.this.arn
      Name            = "${var.prefix}-<aws.scheduler.execution-id>"
      Input           = local.input
    }), "\\u003c", "<"), "\\u003e", ">")

    retry_policy {
      maximum_retry_attempts       = 3
      maximum_event_age_in_seconds = 3600
    }
  }
}
