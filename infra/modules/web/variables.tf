variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account, part of the bucket's name."
  type        = string
}

variable "api_url" {
  description = "The one address besides its own that the app may ask."
  type        = string
}

variable "domain" {
  description = "A domain of one's own, and the ARN of its certificate in us-east-1."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "web_acl_arn" {
  description = "ARN of a web ACL of WAF, in us-east-1."
  type        = string
  default     = null
}

variable "protect" {
  description = "Whether a bucket that holds objects withstands a destroy."
  type        = bool
}
