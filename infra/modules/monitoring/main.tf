# What is watched. An alarm is one line here; all of them are one resource, so that none
# can forget whom it tells or how it takes silence.

locals {
  # Namespace, metric, dimensions, statistic, and what it must not be above.
  lambda = merge([for name, function in var.functions : {
    "${name}-errors"    = { of = ["AWS/Lambda", "Errors", { FunctionName = function }], stat = "Sum", above = 0 }
    "${name}-throttles" = { of = ["AWS/Lambda", "Throttles", { FunctionName = function }], stat = "Sum", above = 0 }
  }]...)

  delivery = merge([for table, name in var.deliveries : {
    "${table}-freshness"  = { of = ["AWS/Firehose", "DeliveryToS3.DataFreshness", { DeliveryStreamName = name }], stat = "Maximum", above = var.freshness_seconds }
    "${table}-conversion" = { of = ["AWS/Firehose", "FailedConversion.Records", { DeliveryStreamName = name }], stat = "Sum", above = 0 }
  }]...)

  # Throttled requests of an API are its callers' 429: its own fault begins at 5xx.
  api = {
    "api-5xx"     = { of = ["AWS/ApiGateway", "5xx", { ApiId = var.api_id }], stat = "Average", above = 0.01 }
    "api-latency" = { of = ["AWS/ApiGateway", "Latency", { ApiId = var.api_id }], stat = "p99", above = var.latency_ms }
  }

  stream = {
    "iterator-age"     = { of = ["AWS/Lambda", "IteratorAge", { FunctionName = var.functions.consume }], stat = "Maximum", above = 60000 }
    "stream-throttles" = { of = ["AWS/Kinesis", "WriteProvisionedThroughputExceeded", { StreamName = var.stream_name }], stat = "Sum", above = 0 }
    "dead-letters"     = { of = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", { QueueName = var.dead_letters_name }], stat = "Maximum", above = 0 }
  }

  store = {
    "table-read-throttles"  = { of = ["AWS/DynamoDB", "ReadThrottleEvents", { TableName = var.table_name }], stat = "Sum", above = 0 }
    "table-write-throttles" = { of = ["AWS/DynamoDB", "WriteThrottleEvents", { TableName = var.table_name }], stat = "Sum", above = 0 }
  }

  pipeline = {
    "pipeline-failed"    = { of = ["AWS/States", "ExecutionsFailed", { StateMachineArn = var.state_machine_arn }], stat = "Sum", above = 0 }
    "pipeline-timed-out" = { of = ["AWS/States", "ExecutionsTimedOut", { StateMachineArn = var.state_machine_arn }], stat = "Sum", above = 0 }
  }

  endpoint = { for name, watched in {
    "endpoint-5xx"     = { of = ["AWS/SageMaker", "Invocation5XXErrors", { EndpointName = var.endpoint_name, VariantName = "main" }], stat = "Sum", above = 0 }
    "endpoint-latency" = { of = ["AWS/SageMaker", "ModelLatency", { EndpointName = var.endpoint_name, VariantName = "main" }], stat = "p99", above = 100000 } # µs
  } : name => watched if var.endpoint_name != "" }

  watched = merge(local.lambda, local.delivery, local.api, local.stream, local.store, local.pipeline, local.endpoint)
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each            = { for name, watched in local.watched : name => watched if var.alarms }
  alarm_name          = "${var.prefix}-${each.key}"
  alarm_description   = "${each.value.of[1]} of ${join(", ", values(each.value.of[2]))} is above ${each.value.above}."
  namespace           = each.value.of[0]
  metric_name         = each.value.of[1]
  dimensions          = each.value.of[2]
  statistic           = startswith(each.value.stat, "p") ? null : each.value.stat
  extended_statistic  = startswith(each.value.stat, "p") ? each.value.stat : null
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.above
  period              = 300
  # Five minutes of a counter are a finding; of a level they may be one slow cold start.
  evaluation_periods  = each.value.stat == "Sum" ? 1 : 3
  datapoints_to_alarm = each.value.stat == "Sum" ? 1 : 2
  treat_missing_data  = "notBreaching"
  alarm_actions       = [var.topic_arn]
  ok_actions          = [var.topic_arn]
}

# One page: what comes in, what goes out, what is late, what failed.

locals {
  charts = [
    { title = "Requests", stat = "Sum", of = [
      ["AWS/ApiGateway", "Count", { ApiId = var.api_id }], ["AWS/ApiGateway", "4xx", { ApiId = var.api_id }], ["AWS/ApiGateway", "5xx", { ApiId = var.api_id }],
    ] },
    { title = "Latency of the API, p99 (ms)", stat = "p99", of = [
      ["AWS/ApiGateway", "Latency", { ApiId = var.api_id }], ["AWS/ApiGateway", "IntegrationLatency", { ApiId = var.api_id }],
    ] },
    { title = "Stream", stat = "Sum", of = [
      ["AWS/Kinesis", "IncomingRecords", { StreamName = var.stream_name }], local.stream["stream-throttles"].of,
    ] },
    { title = "Consumer behind the stream (ms)", stat = "Maximum", of = [local.stream["iterator-age"].of] },
    { title = "Dead letters", stat = "Maximum", of = [local.stream["dead-letters"].of] },
    { title = "Functions: errors", stat = "Sum", of = [for name in keys(var.functions) : local.lambda["${name}-errors"].of] },
    { title = "Functions: throttles", stat = "Sum", of = [for name in keys(var.functions) : local.lambda["${name}-throttles"].of] },
    { title = "Functions: duration, p99 (ms)", stat = "p99", of = [for function in values(var.functions) : ["AWS/Lambda", "Duration", { FunctionName = function }]] },
    { title = "Delivery: age of the oldest record (s)", stat = "Maximum", of = [for table in keys(var.deliveries) : local.delivery["${table}-freshness"].of] },
    { title = "Table: capacity taken", stat = "Sum", of = [
      ["AWS/DynamoDB", "ConsumedReadCapacityUnits", { TableName = var.table_name }], ["AWS/DynamoDB", "ConsumedWriteCapacityUnits", { TableName = var.table_name }],
    ] },
    { title = "Pipeline", stat = "Sum", of = [
      ["AWS/States", "ExecutionsSucceeded", { StateMachineArn = var.state_machine_arn }], local.pipeline["pipeline-failed"].of, local.pipeline["pipeline-timed-out"].of,
    ] },
  ]
  endpoint_charts = [for name, watched in local.endpoint : { title = name, stat = watched.stat, of = [watched.of] }]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.prefix
  dashboard_body = jsonencode({
    widgets = [for index, chart in concat(local.charts, local.endpoint_charts) : {
      type   = "metric"
      x      = index % 3 * 8
      y      = floor(index / 3) * 6
      width  = 8
      height = 6
      properties = {
        title  = chart.title
        region = var.region
        view   = "timeSeries"
        stat   = chart.stat
        period = 300
        # A metric is written flat: namespace, name, then each dimension and its value.
        metrics = [for of in chart.of : concat([of[0], of[1]], flatten([for key, value in of[2] : [key, value]]))]
      }
    }]
  })
}
