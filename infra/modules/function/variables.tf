variable "name" {
  description = "Name of the function."
  type        = string
}

variable "description" {
  description = "What the function does."
  type        = string
}

variable "account_id" {
  description = "The account of the role."
  type        = string
}

variable "archive" {
  description = "Path of the zip file that holds `bootstrap`."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64, as the archive was built."
  type        = string
}

variable "memory_mib" {
  description = "Memory; processor time grows with it, one whole core at 1769."
  type        = number
}

variable "timeout_seconds" {
  description = "Longest time of one invocation."
  type        = number
}

variable "scratch_mib" {
  description = "Size of /tmp."
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "Invocations at once that are kept for this function, and its limit; -1 is neither."
  type        = number
  default     = -1
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "statements" {
  description = "What the function may do besides logging, as IAM statements."
  type        = any
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
