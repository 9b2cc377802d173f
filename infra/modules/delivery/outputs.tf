output "names" {
  description = "Name of the delivery stream of each table."
  value       = { for table, delivery in aws_kinesis_firehose_delivery_stream.this : table => delivery.name }
}

output "arns" {
  description = "ARN of the delivery stream of each table."
  value       = { for table, delivery in aws_kinesis_firehose_delivery_stream.this : table => delivery.arn }
}

output "database" {
  description = "Name of the lake's database in the catalogue."
  value       = aws_glue_catalog_database.lake.name
}
