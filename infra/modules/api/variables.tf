variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "function_name" {
  description = "Name of the function that answers."
  type        = string
}

variable "function_invoke_arn" {
  description = "ARN by which API Gateway invokes it."
  type        = string
}

variable "cors_origins" {
  description = "Origins whose pages may ask; none named is all."
  type        = list(string)
}

variable "requests_per_second" {
  description = "Requests a second above which 429 is answered."
  type        = number
}

variable "burst" {
  description = "Requests at once above which 429 is answered."
  type        = number
}

variable "log_retention_days" {
  description = "How long access logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "Customer's key of the logs."
  type        = string
  default     = null
}
