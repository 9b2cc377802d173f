output "arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "input" {
  description = "Input of an execution, as JSON."
  value       = local.input
}
