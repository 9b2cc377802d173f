output "bucket" {
  description = "Name of the lake's bucket."
  value       = module.lake.name
}

output "arn" {
  description = "ARN of the lake's bucket."
  value       = module.lake.arn
}

output "artifacts_bucket" {
  description = "Name of the bucket of job artifacts."
  value       = module.artifacts.name
}

output "artifacts_arn" {
  description = "ARN of that bucket."
  value       = module.artifacts.arn
}
