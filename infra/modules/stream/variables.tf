variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "shards" {
  description = "Shards of a provisioned stream; null is on demand."
  type        = number
  default     = null

  validation {
    condition     = var.shards == null ? true : var.shards >= 1
    error_message = "A provisioned stream has at least one shard."
  }
}

variable "retention_hours" {
  description = "How long a record can be read again: 24 to 8760."
  type        = number

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "Kinesis keeps records for 24 to 8760 hours."
  }
}

variable "protect" {
  description = "Whether registered consumers keep the stream from being deleted."
  type        = bool
}

variable "kms_key_arn" {
  description = "Customer's key. Without one, the AWS-managed key of Kinesis encrypts."
  type        = string
  default     = null
}
