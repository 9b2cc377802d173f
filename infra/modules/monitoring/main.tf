# Alarms and the dashboard. All alarms are one resource, so that they have the same actions
# and treat missing data alike; each alarm is one line here.

locals {
  api_of    = { ApiId = var.api_id }
  stream_of = { StreamName = var.stream_name }
  table_of  = { TableName = var.table_name }
  runs_of   = { StateMachineArn = var.state_machine_arn }
  scores_of = { for variant in ["a", "b"] : variant => { EndpointName = var.endpoint_name, VariantName = variant } }

  # Namespace, metric, dimensions, statistic, and threshold.
  lambda = merge([for name, function in var.functions : {
    "${name}-errors"    = ["AWS/Lambda", "Errors", { FunctionName = function }, "Sum", 0]
    "${name}-throttles" = ["AWS/Lambda", "Throttles", { FunctionName = function }, "Sum", 0]
  }]...)

  delivery = merge([for table, name in var.deliveries : {
    "${table}-freshness"  = ["AWS/Firehose", "DeliveryToS3.DataFreshness", { DeliveryStreamName = name }, "Maximum", var.freshness_seconds]
    "${table}-conversion" = ["AWS/Firehose", "FailedConversion.Records", { DeliveryStreamName = name }, "Sum", 0]
  }]...)

  # Throttling of an API shows as 4xx, which callers cause; its own failures are 5xx.
  api = {
    "api-5xx"     = ["AWS/ApiGateway", "5xx", local.api_of, "Average", 0.01]
    "api-latency" = ["AWS/ApiGateway", "Latency", local.api_of, "p99", var.latency_ms]
  }

  stream = {
    "iterator-age"     = ["AWS/Lambda", "IteratorAge", { FunctionName = var.functions.consume }, "Maximum", 60000]
    "stream-throttles" = ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", local.stream_of, "Sum", 0]
    "dead-letters"     = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = var.dead_letters_name }, "Maximum", 0]
  }

  store = {
    "table-read-throttles"  = ["AWS/DynamoDB", "ReadThrottleEvents", local.table_of, "Sum", 0]
    "table-write-throttles" = ["AWS/DynamoDB", "WriteThrottleEvents", local.table_of, "Sum", 0]
  }

  pipeline = {
    "pipeline-failed"    = ["AWS/States", "ExecutionsFailed", local.runs_of, "Sum", 0]
    "pipeline-timed-out" = ["AWS/States", "ExecutionsTimedOut", local.runs_of, "Sum", 0]
  }

  # One variant has the serving model, the other that of the release before.
  endpoint = merge([for variant, of in local.scores_of : {
    "endpoint-${variant}-5xx"     = ["AWS/SageMaker", "Invocation5XXErrors", of, "Sum", 0]
    "endpoint-${variant}-latency" = ["AWS/SageMaker", "ModelLatency", of, "p99", 100000] # µs
  } if var.endpoint_name != ""]...)

  watched = {
    for name, of in merge(
      local.lambda, local.delivery, local.api, local.stream, local.store, local.pipeline, local.endpoint,
    ) : name => { namespace = of[0], metric = of[1], dimensions = of[2], stat = of[3], above = of[4] }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = { for name, watched in local.watched : name => watched if var.alarms }
  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${each.value.metric} of ${join(", ", values(each.value.dimensions))} is above ${each.value.above}."
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 300
  # A count raises the alarm after one period. A latency needs two of three, since one may be a
  # cold start.
  evaluation_periods  = each.value.stat == "Sum" ? 1 : 3
  datapoints_to_alarm = each.value.stat == "Sum" ? 1 : 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

# The dashboard: input, output, delays and failures.

locals {
  # Title, statistic, and metrics.
  charts = concat([
    ["Requests", "Sum", [for metric in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", metric, local.api_of]]],
    ["Latency of the API, p99 (ms)", "p99", [for metric in ["Latency", "IntegrationLatency"] : ["AWS/ApiGateway", metric, local.api_of]]],
    ["Stream", "Sum", [["AWS/Kinesis", "IncomingRecords", local.stream_of], local.stream["stream-throttles"]]],
    ["Consumer behind the stream (ms)", "Maximum", [local.stream["iterator-age"]]],
    ["Dead letters", "Maximum", [local.stream["dead-letters"]]],
    ["Functions: errors", "Sum", [for name in keys(var.functions) : local.lambda["${name}-errors"]]],
    ["Functions: throttles", "Sum", [for name in keys(var.functions) : local.lambda["${name}-throttles"]]],
    ["Functions: duration, p99 (ms)", "p99", [for name in values(var.functions) : ["AWS/Lambda", "Duration", { FunctionName = name }]]],
    ["Delivery: age of the oldest record (s)", "Maximum", [for table in keys(var.deliveries) : local.delivery["${table}-freshness"]]],
    ["Table: capacity taken", "Sum", [for what in ["Read", "Write"] : ["AWS/DynamoDB", "Consumed${what}CapacityUnits", local.table_of]]],
    ["Pipeline", "Sum", [for end in ["Succeeded", "Failed", "TimedOut"] : ["AWS/States", "Executions${end}", local.runs_of]]],
  ], [for name, of in local.endpoint : [name, of[3], [of]]])
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = [for index, chart in local.charts : {
      type   = "metric"
      x      = index % 3 * 8
      y      = floor(index / 3) * 6
      width  = 8
      height = 6
      properties = {
        title  = chart[0]
        region = var.region
        view   = "timeSeries"
        stat   = chart[1]
        period = 300
        # A metric is a flat list: namespace, name, then each dimension and its value.
        metrics = [for of in chart[2] : concat([of[0], of[1]], flatten([for key, value in of[2] : [key, value]]))]
      }
    }]
  })
}
