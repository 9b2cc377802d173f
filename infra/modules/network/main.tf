# An optional network without a way to the internet: private subnets, and endpoints of the services
# that functions, the feature job and training call. There is no NAT gateway.

locals {
  # Free of charge.
  gateways = ["dynamodb", "s3"]
  # Billed by the hour and zone.
  interfaces = concat(
    ["glue", "kinesis-firehose", "kinesis-streams", "logs", "monitoring", "sns", "sqs", "states"],
    var.serving ? ["sagemaker.runtime"] : [],
  )
}

resource "aws_vpc" "this" {
  #checkov:skip=CKV2_AWS_11:Flow logs have a cost by volume, and nothing in the network is reachable from outside.
  cidr_block           = var.cidr
  enable_dns_support   = true
  enable_dns_hostnames = true
  tags                 = { Name = var.prefix }
}

# The group that AWS creates allows nothing.
resource "aws_default_security_group" "none" {
  vpc_id = aws_vpc.this.id
}

resource "aws_subnet" "private" {
  for_each          = { for index, zone in var.zones : zone => index }
  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = cidrsubnet(var.cidr, 4, each.value)
  tags              = { Name = "${var.prefix}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.this.id
  tags   = { Name = "${var.prefix}-private" }
}

resource "aws_route_table_association" "private" {
  for_each       = aws_subnet.private
  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

# Functions, Spark workers, training and endpoints talk to one another only, and to S3 and DynamoDB
# through the gateways.
resource "aws_security_group" "inside" {
  #checkov:skip=CKV2_AWS_5:Functions, the feature job and training use it.
  name        = "${var.prefix}-inside"
  description = "Traffic within the network of ${var.prefix}."
  vpc_id      = aws_vpc.this.id
}

# Spark needs all ports between its workers.
resource "aws_vpc_security_group_ingress_rule" "self" {
  security_group_id            = aws_security_group.inside.id
  description                  = "Within the group."
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.inside.id
}

resource "aws_vpc_security_group_egress_rule" "self" {
  security_group_id            = aws_security_group.inside.id
  description                  = "Within the group."
  ip_protocol                  = "-1"
  referenced_security_group_id = aws_security_group.inside.id
}

resource "aws_vpc_security_group_egress_rule" "gateways" {
  for_each          = aws_vpc_endpoint.gateway
  security_group_id = aws_security_group.inside.id
  description       = "TLS to ${each.key}."
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = each.value.prefix_list_id
}

resource "aws_vpc_endpoint" "gateway" {
  for_each          = toset(local.gateways)
  vpc_id            = aws_vpc.this.id
  service_name      = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.private.id]
}

resource "aws_vpc_endpoint" "interface" {
  for_each            = toset(local.interfaces)
  vpc_id              = aws_vpc.this.id
  service_name        = "com.amazonaws.${var.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids  = [aws_security_group.inside.id]
}

# Glue places the job in one subnet.
resource "aws_glue_connection" "private" {
  name            = "${var.prefix}-private"
  description     = "The network of the feature job."
  connection_type = "NETWORK"

  physical_connection_requirements {
    availability_zone      = var.zones[0]
    subnet_id              = aws_subnet.private[var.zones[0]].id
    security_group_id_list = [aws_security_group.inside.id]
  }
}
