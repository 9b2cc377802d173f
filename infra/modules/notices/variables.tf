variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "Account whose alarms and budgets may publish."
  type        = string
}

variable "email" {
  description = "Email address for the notices; empty sends no email."
  type        = string
}

variable "monthly_budget_usd" {
  description = "Monthly cost of the account in USD above which a notice is sent; 0 disables it."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key, whose policy has to allow CloudWatch and Budgets to use it."
  type        = string
  default     = null
}
