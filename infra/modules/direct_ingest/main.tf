# A route from API Gateway to the stream without a function, for producers that write
# complete records and sign their requests with IAM credentials.
#
#   POST /ingest {"user_id": "u1", "record": "<the record's JSON, in Base64>"}

module "role" {
  source               = "../role"
  name                 = "${var.prefix}-ingest"
  description          = "Lets API Gateway put records into the stream."
  service              = "apigateway.amazonaws.com"
  account_id           = var.account_id
  check_source_account = false
  kms_key_arn          = var.kms_key_arn
  statements = [{
    Sid      = "Put"
    Effect   = "Allow"
    Action   = ["kinesis:PutRecord"]
    Resource = [var.stream_arn]
  }]
}

resource "aws_apigatewayv2_integration" "stream" {
  api_id                 = var.api_id
  description            = "Puts one record into the stream."
  integration_type       = "AWS_PROXY"
  integration_subtype    = "Kinesis-PutRecord"
  payload_format_version = "1.0"
  credentials_arn        = module.role.arn
  timeout_milliseconds   = 5000
  request_parameters = {
    StreamName   = var.stream_name
    PartitionKey = "$request.body.user_id"
    Data         = "$request.body.record"
  }
}

resource "aws_apigatewayv2_route" "ingest" {
  api_id             = var.api_id
  route_key          = "POST /ingest"
  target             = "integrations/${aws_apigatewayv2_integration.stream.id}"
  authorization_type = "AWS_IAM"
}
