variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "protect" {
  description = "Whether the table withstands a deletion, and can be put back to any second of the last 35 days."
  type        = bool
}

variable "kms_key_arn" {
  description = "Customer's key. Without one, the AWS-managed key of DynamoDB encrypts."
  type        = string
  default     = null
}
