variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "shards" {
  description = "Shards of a provisioned stream; null makes the stream on-demand."
  type        = number
  default     = null

  validation {
    condition     = var.shards == null ? true : var.shards >= 1
    error_message = "A provisioned stream needs at least one shard."
  }
}

variable "retention_hours" {
  description = "Hours that records are kept, 24 to 8760."
  type        = number

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "Choose 24 to 8760 hours."
  }
}

variable "protect" {
  description = "Whether registered consumers prevent the stream from being deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses the AWS-managed key of Kinesis."
  type        = string
  default     = null
}
