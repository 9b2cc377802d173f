variable "name" {
  description = "Name of the bucket, globally unique."
  type        = string
}

variable "force_destroy" {
  description = "Whether a bucket with objects can be destroyed."
  type        = bool
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses the keys of S3."
  type        = string
  default     = null
}

variable "statements" {
  description = "Additional IAM statements of the bucket's policy."
  type        = any
  default     = []
}

variable "expire_days" {
  description = "Days until the objects under a prefix expire, by prefix."
  type        = map(number)
  default     = {}
}

variable "expire_noncurrent_days" {
  description = "Days until overwritten and deleted objects under a prefix expire, by prefix."
  type        = map(number)
  default     = {}
}
