output "subnets" {
  description = "IDs of the private subnets, and ID of the security group."
  value = {
    subnet_ids        = [for subnet in aws_subnet.private : subnet.id]
    security_group_id = aws_security_group.inside.id
  }
}

output "connection" {
  description = "Name of the Glue connection."
  value       = aws_glue_connection.private.name
}
