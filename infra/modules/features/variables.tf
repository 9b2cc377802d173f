variable "prefix" {
  description = "Start of every name."
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
  description = "The account of role and log groups."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "artifacts_bucket" {
  description = "Name of the bucket that script and worker go to."
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
  description = "Glue's size of a Spark worker."
  type        = string
  default     = "G.1X"
}

variable "max_workers" {
  description = "Most Spark workers of a run; Glue takes fewer where fewer do."
  type        = number
  default     = 10

  validation {
    condition     = var.max_workers >= 2
    error_message = "Spark needs a driver and a worker."
  }
}

variable "timezone" {
  description = "Time zone of the shop's days, such as Europe/Berlin."
  type        = string
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
