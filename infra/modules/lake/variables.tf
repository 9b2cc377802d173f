variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account, part of the buckets' names."
  type        = string
}

variable "protect" {
  description = "Whether a bucket that holds objects withstands a destroy."
  type        = bool
}

variable "kms_key_arn" {
  description = "Customer's key. Without one, S3's own keys encrypt."
  type        = string
  default     = null
}
