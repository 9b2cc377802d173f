variable "name" {
  description = "Name of the role and of its policy."
  type        = string
}

variable "description" {
  description = "Description of the role."
  type        = string
}

variable "service" {
  description = "Service that assumes the role, such as lambda.amazonaws.com."
  type        = string
}

variable "account_id" {
  description = "Account that the service has to act for."
  type        = string
}

variable "check_source_account" {
  description = "Whether the service sends aws:SourceAccount, as documented for Step Functions, Scheduler and SageMaker. Other services assume only roles that this account passes to them."
  type        = bool
  default     = true
}

variable "statements" {
  description = "IAM statements of the policy."
  type        = any
}

variable "kms_key_arn" {
  description = "ARN of the customer-managed KMS key of the data that the role accesses."
  type        = string
  default     = null
}

variable "in_network" {
  description = "Whether the service creates network interfaces in a VPC in the name of this role."
  type        = bool
  default     = false
}
