variable "prefix" {
  description = "Start of every name, and the endpoint's name."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of image and log groups."
  type        = string
}

variable "account_id" {
  description = "The account of role and log groups."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "endpoint_mode" {
  description = "embedded or sagemaker."
  type        = string
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint's instances follow its load. Turned on once the endpoint exists."
  type        = bool
  default     = false
}

variable "endpoint_instances" {
  description = "Fewest and most instances of the endpoint."
  type        = object({ min = number, max = number })
  default     = { min = 1, max = 4 }
}

variable "invocations_per_instance" {
  description = "Invocations of one instance in a minute that scaling aims at."
  type        = number
  default     = 6000
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
