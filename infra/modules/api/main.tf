# The HTTP API in front of the `api` function: throttling, access logs and CORS. The function
# checks the API keys.

locals {
  # Requests carry keys, never cookies, so that allowing every origin grants no access.
  origins = length(var.cors_origins) == 0 ? ["*"] : var.cors_origins
}

resource "aws_apigatewayv2_api" "this" {
  name          = "${var.prefix}-api"
  description   = "Accepts events and serves recommendations."
  protocol_type = "HTTP"

  cors_configuration {
    allow_origins  = local.origins
    allow_methods  = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]
    allow_headers  = ["authorization", "content-type", "if-match", "if-none-match", "x-api-key", "x-request-id"]
    expose_headers = ["retry-after", "x-request-id"]
    max_age        = 3600
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  name              = "/aws/apigateway/${var.prefix}-api"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    throttling_rate_limit  = var.requests_per_second
    throttling_burst_limit = var.burst
  }

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # Without addresses and paths, which may identify users.
    format = jsonencode({
      requestId    = "$context.requestId"
      time         = "$context.requestTime"
      method       = "$context.httpMethod"
      route        = "$context.routeKey"
      status       = "$context.status"
      bytes        = "$context.responseLength"
      milliseconds = "$context.responseLatency"
      integration  = "$context.integrationLatency"
      error        = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_apigatewayv2_integration" "function" {
  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = var.function_invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 10000
}

resource "aws_apigatewayv2_route" "default" {
  #checkov:skip=CKV_AWS_309:The function checks API keys; without keys, allow_anonymous has to be set.
  api_id             = aws_apigatewayv2_api.this.id
  route_key          = "$default"
  target             = "integrations/${aws_apigatewayv2_integration.function.id}"
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "api" {
  statement_id  = "api-gateway"
  action        = "lambda:InvokeFunction"
  function_name = var.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*"
}
