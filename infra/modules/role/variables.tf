variable "name" {
  description = "Name of the role and of its policy."
  type        = string
}

variable "description" {
  description = "Who takes the role on, and for what."
  type        = string
}

variable "service" {
  description = "Service that takes the role on, such as lambda.amazonaws.com."
  type        = string
}

variable "account_id" {
  description = "The account that the service has to act for."
  type        = string
}

variable "check_source_account" {
  description = "Whether the service names the account it acts for: documented of Step Functions, Scheduler and SageMaker. The others take on only what somebody of this account handed them."
  type        = bool
  default     = true
}

variable "statements" {
  description = "Statements of the policy, as IAM writes them."
  type        = any
}

variable "kms_key_arn" {
  description = "Customer's key of the data that the role reads or writes."
  type        = string
  default     = null
}
