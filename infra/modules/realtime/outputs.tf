output "functions" {
  description = "Names of the functions."
  value       = { api = module.api_function.name, consume = module.consume_function.name }
}

output "api_id" {
  description = "Id of the API."
  value       = module.api.id
}

output "api_url" {
  description = "Address of the API, without a slash at its end."
  value       = module.api.url
}

output "ingest_url" {
  description = "Where producers put events: around the function where direct ingest is on."
  value       = "${module.api.url}${var.direct_ingest ? module.direct_ingest[0].path : "/v1/events"}"
}
