variable "prefix" {
  description = "Start of every name."
  type        = string
}

variable "account_id" {
  description = "The account of the roles."
  type        = string
}

variable "architecture" {
  description = "arm64 or x86_64, as the archives were built."
  type        = string
}

variable "archives" {
  description = "Folder that holds api.zip and consume.zip."
  type        = string
}

variable "environment" {
  description = "Environment variables of both functions."
  type        = map(string)
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "stream_arn" {
  description = "ARN of the stream."
  type        = string
}

variable "impressions_arn" {
  description = "ARN of the delivery stream of impressions."
  type        = string
}

variable "table_arn" {
  description = "ARN of the users' table."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "dead_letters_arn" {
  description = "ARN of the queue of records that could not be processed."
  type        = string
}

variable "endpoint_arn" {
  description = "ARN of the endpoint that scores; empty where the function does."
  type        = string
}

variable "cors_origins" {
  description = "Origins whose pages may ask; none named is all."
  type        = list(string)
}

variable "direct_ingest" {
  description = "Whether there is a route to the stream without a function."
  type        = bool
}

variable "requests_per_second" {
  description = "Requests a second above which 429 is answered."
  type        = number
}

variable "burst" {
  description = "Requests at once above which 429 is answered."
  type        = number
}

variable "api_memory_mib" {
  description = "Memory of the API's function."
  type        = number
}

variable "api_concurrency" {
  description = "Reserved concurrency of the API's function; -1 is none."
  type        = number
}

variable "consume_concurrency" {
  description = "Reserved concurrency of the consumer; -1 is none."
  type        = number
}

variable "parallelization" {
  description = "Batches of one shard at once, 1 to 10; a user's events keep their order."
  type        = number

  validation {
    condition     = var.parallelization >= 1 && var.parallelization <= 10
    error_message = "Lambda takes 1 to 10 batches of a shard at once."
  }
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
