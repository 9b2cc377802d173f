variable "prefix" {
  description = "Prefix of every name, and the name of the endpoint."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of the image and the log groups."
  type        = string
}

variable "account_id" {
  description = "Account of the role and the log groups."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "endpoint_mode" {
  description = "embedded or sagemaker: where models are scored."
  type        = string
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint scales with its load. Enable it once the endpoint exists."
  type        = bool
  default     = false
}

variable "endpoint_instances" {
  description = "Minimum and maximum number of instances of the endpoint."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 4 }
}

variable "invocations_per_instance" {
  description = "Target of scaling: invocations per instance and minute."
  type        = number
  default     = 6000
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
