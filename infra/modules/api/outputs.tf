output "id" {
  description = "ID of the API."
  value       = aws_apigatewayv2_api.this.id
}

output "url" {
  description = "URL of the API, without a trailing slash."
  value       = aws_apigatewayv2_api.this.api_endpoint
}

output "execution_arn" {
  description = "Prefix of the ARNs of the API's routes."
  value       = aws_apigatewayv2_api.this.execution_arn
}
