output "name" {
  description = "Name of the stream."
  value       = aws_kinesis_stream.events.name
}

output "arn" {
  description = "ARN of the stream."
  value       = aws_kinesis_stream.events.arn
}

output "dead_letters_name" {
  description = "Name of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.name
}

output "dead_letters_arn" {
  description = "ARN of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.arn
}

output "dead_letters_url" {
  description = "URL of the dead-letter queue."
  value       = aws_sqs_queue.dead_letters.id
}
