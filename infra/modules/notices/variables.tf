variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account whose alarms and budgets may speak."
  type        = string
}

variable "email" {
  description = "Who gets the notices; empty is nobody."
  type        = string
}

variable "monthly_budget_usd" {
  description = "What the account may cost in a month before somebody hears of it; 0 is no budget."
  type        = number
}

variable "kms_key_arn" {
  description = "Customer's key, whose policy lets CloudWatch and Budgets use it."
  type        = string
  default     = null
}
