# A route from API Gateway to the stream without a function, for producers that write
# complete records and sign their requests with IAM credentials.
#
#   POST /ingest {"user_id": "u1", "record": "<the record's JSON, in Base64>"}

resource "aws_apigatewayv2_integration" "stream" {
  api_id                 = var.api_id
  description            = "Puts one record into the stream."
  integration_type       = "AWS_PROXY"
  integration_subtype    = "Kinesis-PutRecord"
  payload_format_version = "1.0"
  credentials_arn        = var.role_arn
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
