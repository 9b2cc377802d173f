variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "Account, a part of the bucket's name."
  type        = string
}

variable "api_url" {
  description = "URL of the API, the only other origin that the app may call."
  type        = string
}

variable "image_hosts" {
  description = "Origins of other sites whose pictures the app may show."
  type        = list(string)
}

variable "domain" {
  description = "Domain of the web app, and the ARN of its certificate in us-east-1; null uses CloudFront's domain."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "web_acl_arn" {
  description = "ARN of a WAF web ACL in us-east-1."
  type        = string
  default     = null
}

variable "protect" {
  description = "Whether buckets with objects are protected from being destroyed."
  type        = bool
}
