variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account of catalogue and roles."
  type        = string
}

variable "stream_arn" {
  description = "The stream whose events are delivered."
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
  description = "A file is written at this size; conversion to Parquet needs 64 at least."
  type        = number

  validation {
    condition     = var.buffer_mib >= 64 && var.buffer_mib <= 128
    error_message = "Firehose buffers 64 to 128 MiB where it converts to Parquet."
  }
}

variable "buffer_seconds" {
  description = "A file is written after this time at the latest."
  type        = number

  validation {
    condition     = var.buffer_seconds >= 60 && var.buffer_seconds <= 900
    error_message = "A file is written after 60 to 900 seconds."
  }
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Customer's key. Without one, keys of AWS encrypt."
  type        = string
  default     = null
}
