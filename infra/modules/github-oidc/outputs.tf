output "role_arn" {
  description = "ARN of the role that workflows take on."
  value       = aws_iam_role.deploy.arn
}
