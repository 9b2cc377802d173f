output "job" {
  description = "Name of the job."
  value       = aws_glue_job.features.name
}

output "job_arn" {
  description = "ARN of the job."
  value       = aws_glue_job.features.arn
}
