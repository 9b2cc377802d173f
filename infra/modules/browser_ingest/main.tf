# An API that puts events of pages into the stream without a function. A REST API, since only these
# have models and mapping templates: a body that is no event gets 400, and what is one becomes a
# whole record. There are no answers with recommendations, and no shopper tokens.
#
#   POST /events {"user_id": "u1", "event": "view", "product_ids": ["12"]}     x-api-key: …

locals {
  id = { type = "string", minLength = 1, maxLength = 128 }
  # Keys are sent in a header and never in cookies, so that every origin may ask.
  cors = {
    "Access-Control-Allow-Origin"  = "'*'"
    "Access-Control-Allow-Headers" = "'content-type,x-api-key'"
    "Access-Control-Allow-Methods" = "'OPTIONS,POST'"
    "Access-Control-Max-Age"       = "'3600'"
  }
  cors_answer    = { for name, value in local.cors : "method.response.header.${name}" => value }
  cors_headers   = { for name, value in local.cors : name => { schema = { type = "string" } } }
  gateway_answer = { "gatewayresponse.header.Access-Control-Allow-Origin" = "'*'" }

  # JSON Schema, draft 4. Bounds are those of POST /v1/events.
  event = {
    "$schema"            = "http://json-schema.org/draft-04/schema#"
    type                 = "object"
    required             = ["event"]
    oneOf                = [{ required = ["user_id"] }, { required = ["anonymous_id"] }]
    not                  = { required = ["items", "product_ids"] }
    additionalProperties = false
    properties = {
      user_id      = merge(local.id, { pattern = "^[^~\\u0000-\\u001f\\u007f][^\\u0000-\\u001f\\u007f]*$" })
      anonymous_id = { type = "string", pattern = "^[A-Za-z0-9._-]{1,127}$" }
      event_id     = local.id
      session_id   = local.id
      event        = { type = "string", enum = ["view", "search", "add_to_cart", "remove_from_cart", "update_cart", "checkout", "impression"] }
      product_ids  = { type = "array", maxItems = 200, uniqueItems = true, items = local.id }
      items = {
        type     = "array"
        maxItems = 200
        items = {
          type                 = "object"
          required             = ["product_id"]
          additionalProperties = false
          properties = {
            product_id = local.id
            quantity   = { type = "integer", minimum = 1, maximum = 100000 }
            price      = { type = "number", minimum = 0, maximum = 1e9 }
          }
        }
      }
      query  = { type = "string", minLength = 1, maxLength = 200 }
      source = local.id

      recommendation_id = local.id
    }
  }

  integration = {
    type                = "aws"
    httpMethod          = "POST"
    uri                 = "arn:${var.partition}:apigateway:${var.region}:kinesis:action/PutRecord"
    credentials         = var.role_arn
    passthroughBehavior = "never"
    timeoutInMillis     = 5000
    requestParameters   = { "integration.request.header.Content-Type" = "'application/x-amz-json-1.1'" }
    requestTemplates    = { "application/json" = replace(file("${path.module}/event.vtl"), "$${stream_name}", var.stream_name) }
    responses = {
      "2\\d{2}" = {
        statusCode         = "200"
        responseParameters = { "method.response.header.Access-Control-Allow-Origin" = "'*'" }
        responseTemplates  = { "application/json" = "{\"shard_id\": $input.json('$.ShardId'), \"sequence_number\": $input.json('$.SequenceNumber')}" }
      }
      # Kinesis throttles with 400. What the page has sent was checked before.
      default = {
        statusCode = "503"
        responseParameters = {
          "method.response.header.Access-Control-Allow-Origin" = "'*'"
          "method.response.header.Retry-After"                 = "'1'"
        }
        responseTemplates = { "application/json" = "{\"message\": \"The stream does not take the event. Send it again.\"}" }
      }
    }
  }
}

resource "aws_api_gateway_rest_api" "this" {
  name        = "${var.prefix}-browser-ingest"
  description = "Puts events of pages into the stream."

  endpoint_configuration {
    types = ["REGIONAL"]
  }

  body = jsonencode({
    openapi                                  = "3.0.1"
    info                                     = { title = "${var.prefix}-browser-ingest", version = "1" }
    "x-amazon-apigateway-request-validators" = { body = { validateRequestBody = true, validateRequestParameters = false } }
    "x-amazon-apigateway-gateway-responses" = {
      DEFAULT_4XX = { responseParameters = local.gateway_answer }
      DEFAULT_5XX = { responseParameters = local.gateway_answer }
      BAD_REQUEST_BODY = {
        statusCode         = 400
        responseParameters = local.gateway_answer
        responseTemplates  = { "application/json" = "{\"message\": $context.error.messageString, \"detail\": \"$context.error.validationErrorString\"}" }
      }
    }
    components = {
      schemas         = { Event = local.event }
      securitySchemes = { key = { type = "apiKey", name = "x-api-key", in = "header" } }
    }
    paths = {
      "/events" = {
        post = {
          security                                = [{ key = [] }]
          requestBody                             = { required = true, content = { "application/json" = { schema = { "$ref" = "#/components/schemas/Event" } } } }
          "x-amazon-apigateway-request-validator" = "body"
          "x-amazon-apigateway-integration"       = local.integration
          responses = {
            "200" = { description = "The event is in the stream.", headers = { "Access-Control-Allow-Origin" = { schema = { type = "string" } } } }
            "503" = {
              description = "The stream does not take it now."
              headers     = { "Access-Control-Allow-Origin" = { schema = { type = "string" } }, "Retry-After" = { schema = { type = "string" } } }
            }
          }
        }
        options = {
          responses = { "204" = { description = "What a page may send.", headers = local.cors_headers } }
          "x-amazon-apigateway-integration" = {
            type                = "mock"
            passthroughBehavior = "when_no_match"
            requestTemplates    = { "application/json" = "{\"statusCode\": 204}" }
            responses           = { default = { statusCode = "204", responseParameters = local.cors_answer } }
          }
        }
      }
    }
  })

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_api_gateway_deployment" "this" {
  rest_api_id = aws_api_gateway_rest_api.this.id
  triggers    = { body = sha256(aws_api_gateway_rest_api.this.body) }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_cloudwatch_log_group" "access" {
  #checkov:skip=CKV_AWS_338:Prod keeps logs for a year, and dev, which is temporary, for two weeks.
  name              = "/aws/apigateway/${var.prefix}-browser-ingest"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_api_gateway_stage" "v1" {
  #checkov:skip=CKV_AWS_120:Nothing here can be cached.
  #checkov:skip=CKV_AWS_73:Traces would hold events of shoppers.
  #checkov:skip=CKV2_AWS_29:Keys and a usage plan bound requests.
  #checkov:skip=CKV2_AWS_51:Pages cannot hold a client certificate.
  #checkov:skip=CKV2_AWS_4:Access logs are enough.
  rest_api_id   = aws_api_gateway_rest_api.this.id
  deployment_id = aws_api_gateway_deployment.this.id
  stage_name    = "v1"

  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.access.arn
    # Without addresses, which may identify users.
    format = jsonencode({
      requestId    = "$context.requestId"
      time         = "$context.requestTime"
      method       = "$context.httpMethod"
      status       = "$context.status"
      bytes        = "$context.responseLength"
      milliseconds = "$context.responseLatency"
      error        = "$context.error.message"
    })
  }
}

# Every request needs this key. It is part of a public page: it identifies the shop and bounds its
# requests, and whoever has it can write events of any shopper.
resource "aws_api_gateway_api_key" "pages" {
  name        = "${var.prefix}-browser-ingest"
  description = "Key of the shop's pages."
}

resource "aws_api_gateway_usage_plan" "pages" {
  name        = "${var.prefix}-browser-ingest"
  description = "Bounds what pages can write, and so its cost."

  api_stages {
    api_id = aws_api_gateway_rest_api.this.id
    stage  = aws_api_gateway_stage.v1.stage_name
  }

  throttle_settings {
    rate_limit  = var.requests_per_second
    burst_limit = var.burst
  }
}

resource "aws_api_gateway_usage_plan_key" "pages" {
  key_id        = aws_api_gateway_api_key.pages.id
  key_type      = "API_KEY"
  usage_plan_id = aws_api_gateway_usage_plan.pages.id
}
