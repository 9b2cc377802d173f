variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "partition" {
  description = "Partition of the account: aws, aws-cn or aws-us-gov."
  type        = string
}

variable "region" {
  description = "Region of the stream."
  type        = string
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "role_arn" {
  description = "ARN of the role with which API Gateway puts records into the stream."
  type        = string
}

variable "requests_per_second" {
  description = "Events a second above which pages get 429."
  type        = number
}

variable "burst" {
  description = "Events that may arrive at once."
  type        = number
}

variable "log_retention_days" {
  description = "Days for which access logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key of the access logs; null uses keys of AWS."
  type        = string
  default     = null
}
