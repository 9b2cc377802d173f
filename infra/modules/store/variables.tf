variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "protect" {
  description = "Whether the table has deletion protection and point-in-time recovery of 35 days."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses the AWS-managed key of DynamoDB."
  type        = string
  default     = null
}

variable "warm_throughput" {
  description = "Units per second, read and write, that the table takes at once; null for the defaults of AWS."
  type        = object({ read = number, write = number })
  default     = null
}
