variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "function_name" {
  description = "Name of the function that handles requests."
  type        = string
}

variable "function_invoke_arn" {
  description = "ARN by which API Gateway invokes it."
  type        = string
}

variable "cors_origins" {
  description = "Origins whose pages may call the API; an empty list allows all."
  type        = list(string)
}

variable "requests_per_second" {
  description = "Requests per second above which the API answers 429."
  type        = number
}

variable "burst" {
  description = "Concurrent requests above which the API answers 429."
  type        = number
}

variable "log_retention_days" {
  description = "How long access logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key for the logs."
  type        = string
  default     = null
}
