output "path" {
  description = "Path of the route."
  value       = split(" ", aws_apigatewayv2_route.ingest.route_key)[1]
}
