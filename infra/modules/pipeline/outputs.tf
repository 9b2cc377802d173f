output "arn" {
  description = "ARN of the state machine."
  value       = aws_sfn_state_machine.this.arn
}

output "input" {
  description = "What a run is started with, as JSON."
  value       = local.input
}
