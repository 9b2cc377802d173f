variable "prefix" {
  description = "Start of every name, which bounds what the role reaches."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of the environment."
  type        = string
}

variable "account_id" {
  description = "The account of the environment."
  type        = string
}

variable "repository" {
  description = "owner/name on GitHub."
  type        = string
}

variable "environment" {
  description = "GitHub environment whose workflows may deploy."
  type        = string
}

variable "provider_arn" {
  description = "ARN of the account's identity provider for GitHub; empty makes it."
  type        = string
}

variable "state_bucket" {
  description = "Bucket that holds Terraform's state, under <prefix>/."
  type        = string
}
