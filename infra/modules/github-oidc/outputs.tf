output "role_arn" {
  description = "ARN of the role that workflows assume."
  value       = aws_iam_role.deploy.arn
}
