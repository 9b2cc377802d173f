variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of the log groups."
  type        = string
}

variable "account_id" {
  description = "Account of the role and the log groups."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "artifacts_bucket" {
  description = "Name of the bucket for the script and the worker."
  type        = string
}

variable "artifacts_arn" {
  description = "ARN of that bucket."
  type        = string
}

variable "script" {
  description = "Path of the PySpark script."
  type        = string
}

variable "worker" {
  description = "Path of the worker, a static binary for x86_64 Linux."
  type        = string
}

variable "worker_type" {
  description = "Glue's type of a Spark worker."
  type        = string
  default     = "G.1X"
}

variable "max_workers" {
  description = "Maximum number of Spark workers of a run; Glue scales below it."
  type        = number
  default     = 10

  validation {
    condition     = var.max_workers >= 2
    error_message = "Use at least 2: Spark needs a driver and a worker."
  }
}

variable "timezone" {
  description = "Time zone of the shop's days, such as Europe/Berlin."
  type        = string
}

variable "label" {
  description = "What the model predicts, such as auto or next_purchase."
  type        = string
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

variable "connection" {
  description = "Name of the Glue connection to the network; null for no VPC."
  type        = string
  default     = null
}
