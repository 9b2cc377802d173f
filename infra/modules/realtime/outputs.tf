output "functions" {
  description = "Names of the functions."
  value       = { api = module.api_function.name, consume = module.consume_function.name, erase = module.erase_function.name }
}

output "api_id" {
  description = "ID of the API."
  value       = module.api.id
}

output "api_url" {
  description = "URL of the API, without a trailing slash."
  value       = module.api.url
}

output "browser_ingest" {
  description = "Where pages put events into the stream, and the ID of their API key; null without it."
  value       = one([for ingest in module.browser_ingest : { url = ingest.url, key_id = ingest.key_id }])
}

output "ingest_url" {
  description = "URL for events. With direct ingest it bypasses the function."
  value       = "${module.api.url}${var.direct_ingest ? module.direct_ingest[0].path : "/v1/events"}"
}

output "serve_policy" {
  description = "Policy for the role of a machine that runs `cartwheel serve --backend aws`, as JSON."
  value       = jsonencode(local.serve_policy)
}
