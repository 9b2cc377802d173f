output "url" {
  description = "URL for events of pages."
  value       = "${aws_api_gateway_stage.v1.invoke_url}/events"
}

output "key_id" {
  description = "ID of the pages' API key, for aws apigateway get-api-key --include-value."
  value       = aws_api_gateway_api_key.pages.id
}
