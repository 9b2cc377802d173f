variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "Account of the catalogue and the roles."
  type        = string
}

variable "stream_arn" {
  description = "ARN of the stream whose events are delivered."
  type        = string
}

variable "lake_bucket" {
  description = "Name of the lake's bucket."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "buffer_mib" {
  description = "Size at which a file is written, in MiB; conversion to Parquet needs at least 64."
  type        = number

  validation {
    condition     = var.buffer_mib >= 64 && var.buffer_mib <= 128
    error_message = "Choose 64 to 128 MiB, the range of Firehose with conversion to Parquet."
  }
}

variable "buffer_seconds" {
  description = "Seconds after which a file is written at the latest."
  type        = number

  validation {
    condition     = var.buffer_seconds >= 60 && var.buffer_seconds <= 900
    error_message = "Choose 60 to 900 seconds."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses keys of AWS."
  type        = string
  default     = null
}
