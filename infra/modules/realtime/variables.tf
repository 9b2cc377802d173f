variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "partition" {
  description = "Partition of the account: aws, aws-cn or aws-us-gov."
  type        = string
}

variable "region" {
  description = "Region of the stream."
  type        = string
}

variable "account_id" {
  description = "Account of the roles."
  type        = string
}

variable "architecture" {
  description = "Architecture of the archives: arm64 or x86_64."
  type        = string
}

variable "archives" {
  description = "Folder with api.zip, consume.zip and erase.zip."
  type        = string
}

variable "environment" {
  description = "Environment variables of the functions."
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

variable "stream_retention_hours" {
  description = "Hours that the stream keeps an event, after which all are delivered."
  type        = number
}

variable "impressions_arn" {
  description = "ARN of the delivery stream of impressions."
  type        = string
}

variable "table_arn" {
  description = "ARN of the users table."
  type        = string
}

variable "lake_arn" {
  description = "ARN of the lake's bucket."
  type        = string
}

variable "dead_letters_arn" {
  description = "ARN of the dead-letter queue."
  type        = string
}

variable "endpoint_arn" {
  description = "ARN of the endpoint that scores; empty if the function scores."
  type        = string
}

variable "state_machine_arn" {
  description = "ARN of the pipeline's state machine, whose runs the API shows."
  type        = string
}

variable "cors_origins" {
  description = "Origins whose pages may call the API; an empty list allows all."
  type        = list(string)
}

variable "direct_ingest" {
  description = "Whether to create the route to the stream without a function."
  type        = bool
}

variable "browser_ingest" {
  description = "Whether to create the API through which pages put events into the stream."
  type        = bool
}

variable "requests_per_second" {
  description = "Requests per second above which the API answers 429."
  type        = number
}

variable "burst" {
  description = "Concurrent requests above which the API answers 429."
  type        = number
}

variable "api_memory_mib" {
  description = "Memory of the API's function in MiB."
  type        = number
}

variable "api_scratch_mib" {
  description = "Size of /tmp of the API's function in MiB."
  type        = number
}

variable "api_concurrency" {
  description = "Reserved concurrency of the API's function; -1 reserves none."
  type        = number
}

variable "consume_concurrency" {
  description = "Reserved concurrency of the consumer; -1 reserves none."
  type        = number
}

variable "parallelization" {
  description = "Batches of one shard that are processed concurrently, 1 to 10; the events of a user stay in order."
  type        = number

  validation {
    condition     = var.parallelization >= 1 && var.parallelization <= 10
    error_message = "Choose 1 to 10, the range of Lambda."
  }
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses keys of AWS."
  type        = string
  default     = null
}

variable "network" {
  description = "IDs of the private subnets and of the security group; null for no VPC."
  type        = object({ subnet_ids = list(string), security_group_id = string })
  default     = null
}
