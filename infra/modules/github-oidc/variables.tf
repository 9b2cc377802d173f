variable "prefix" {
  description = "Prefix of every name, which restricts the role."
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
  description = "Account of the environment."
  type        = string
}

variable "repository" {
  description = "GitHub repository, as owner@ID/name@ID, or as owner/name for one whose tokens have no IDs."
  type        = string
}

variable "environment" {
  description = "GitHub environment whose workflows may deploy."
  type        = string
}

variable "provider_arn" {
  description = "ARN of the account's identity provider for GitHub; empty creates it."
  type        = string
}

variable "state_bucket" {
  description = "Bucket of the Terraform state, which is under <prefix>/."
  type        = string
}

variable "vpc" {
  description = "Whether the environment has a VPC."
  type        = bool
  default     = false
}
