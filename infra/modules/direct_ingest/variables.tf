variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account of the role."
  type        = string
}

variable "api_id" {
  description = "The HTTP API that gets the route."
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
  description = "Customer's key of the stream."
  type        = string
  default     = null
}
