variable "name" {
  description = "Name of the function."
  type        = string
}

variable "description" {
  description = "Description of the function."
  type        = string
}

variable "account_id" {
  description = "Account of the role."
  type        = string
}

variable "archive" {
  description = "Path of the zip file that contains `bootstrap`."
  type        = string
}

variable "architecture" {
  description = "Architecture of the archive: arm64 or x86_64."
  type        = string
}

variable "memory_mib" {
  description = "Memory in MiB. CPU time is proportional to it: 1,769 MiB is one core."
  type        = number
}

variable "timeout_seconds" {
  description = "Maximum duration of an invocation in seconds."
  type        = number
}

variable "scratch_mib" {
  description = "Size of /tmp in MiB."
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "Concurrent invocations that are reserved for this function, which is also its limit; -1 sets neither."
  type        = number
  default     = -1
}

variable "environment" {
  description = "Environment variables."
  type        = map(string)
}

variable "statements" {
  description = "IAM statements of the function's permissions besides logging."
  type        = any
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses keys of AWS."
  type        = string
  default     = null
}

variable "network" {
  description = "IDs of the private subnets and of the security group; null for no VPC."
  type        = object({ subnet_ids = list(string), security_group_id = string })
  default     = null
}
