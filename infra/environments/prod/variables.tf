variable "name" {
  description = "The system's name, first part of every name."
  type        = string
  default     = "cartwheel"
}

variable "region" {
  description = "Region of AWS."
  type        = string
  default     = "eu-central-1"
}

variable "dist" {
  description = "Folder of what `make package` built."
  type        = string
  default     = "../../../dist"
}

variable "glue_script" {
  description = "Path of the feature job's script."
  type        = string
  default     = "../../../glue/features.py"
}

variable "architecture" {
  description = "Processor of the functions, as they were built: arm64 or x86_64."
  type        = string
  default     = "arm64"
}

variable "stream_shards" {
  description = "Shards of a provisioned stream, cheaper for a small, even load; null is on demand."
  type        = number
  default     = null
}

variable "endpoint_mode" {
  description = "embedded: the API's function scores, and nothing idles. sagemaker: an endpoint does, and bills by the hour."
  type        = string
  default     = "embedded"
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint's instances follow its load. Turned on once a run of the pipeline has made the endpoint."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "When the pipeline runs by itself, such as cron(0 3 * * ? *); empty is never."
  type        = string
  default     = ""
}

variable "timezone" {
  description = "Time zone of the shop's days and of the schedule."
  type        = string
  default     = "UTC"
}

variable "api_key_hashes" {
  description = "SHA-256 of each API key, in hex: printf %s \"$KEY\" | sha256sum."
  type        = list(string)
  default     = []
}

variable "allow_anonymous" {
  description = "Says in so many words that the API is open to everybody; without a key it has to be true."
  type        = bool
  default     = false
}

variable "cors_origins" {
  description = "Origins whose pages may ask, such as https://shop.example; none named is all."
  type        = list(string)
  default     = []
}

variable "direct_ingest" {
  description = "Whether producers that sign by IAM can put records into the stream without a function between."
  type        = bool
  default     = false
}

variable "web_domain" {
  description = "A domain of one's own for the web app, and the ARN of its certificate in us-east-1."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "alarm_email" {
  description = "Who gets alarms and notices; empty is nobody."
  type        = string
  default     = ""
}

variable "monthly_budget_usd" {
  description = "What the account may cost in a month before somebody hears of it; 0 is no budget."
  type        = number
  default     = 0
}

variable "github_repository" {
  description = "owner/name whose workflows may deploy; empty is none."
  type        = string
  default     = ""
}

variable "github_provider_arn" {
  description = "ARN of the account's identity provider for GitHub; empty makes it."
  type        = string
  default     = ""
}

variable "state_bucket" {
  description = "Bucket of Terraform's state, which the workflows need too."
  type        = string
  default     = ""
}

variable "kms_key_arn" {
  description = "ARN of a customer's key; without one, keys of AWS encrypt."
  type        = string
  default     = null
}
