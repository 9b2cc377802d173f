variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "Account of the role."
  type        = string
}

variable "api_id" {
  description = "ID of the HTTP API that gets the route."
  type        = string
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "stream_arn" {
  description = "ARN of the stream."
  type        = string
}

variable "kms_key_arn" {
  description = "ARN of the stream's customer-managed KMS key."
  type        = string
  default     = null
}
