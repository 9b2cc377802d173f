variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "Account, a part of the buckets' names."
  type        = string
}

variable "protect" {
  description = "Whether buckets with objects are protected from being destroyed."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses the keys of S3."
  type        = string
  default     = null
}
