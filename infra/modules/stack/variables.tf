variable "name" {
  description = "The system's name, first part of every name."
  type        = string
  default     = "cartwheel"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "1 to 16 of a-z, 0-9 and -, a letter first: buckets, SageMaker and the catalogue take no more."
  }
}

variable "environment" {
  description = "The environment's name, second part of every name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,7}$", var.environment))
    error_message = "1 to 8 of a-z and 0-9, a letter first."
  }
}

variable "protect" {
  description = "Whether data withstands a destroy: no emptying of buckets, deletion protection, recovery to a point in time, longer retention of what was overwritten."
  type        = bool
}

variable "alarms" {
  description = "Whether there are alarms; each bills by the month beyond the account's first ten."
  type        = bool
}

variable "log_retention_days" {
  description = "How long logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "CloudWatch keeps logs for 1, 3, 5, 7, 14, 30, 60, 90, … days."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer's key for everything at rest but the public web app. Without one, keys of AWS encrypt, which cost nothing while idle."
  type        = string
  default     = null
}

variable "dist" {
  description = "Folder of what `make package` built."
  type        = string
}

variable "glue_script" {
  description = "Path of the feature job's script."
  type        = string
}

variable "definition" {
  description = "Path of the state machine's definition."
  type        = string
}

variable "architecture" {
  description = "Processor of the functions: arm64 or x86_64."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "arm64 or x86_64."
  }
}

variable "endpoint_mode" {
  description = "embedded: the API's function scores, and nothing idles. sagemaker: an endpoint does, and bills by the hour."
  type        = string
  default     = "embedded"

  validation {
    condition     = contains(["embedded", "sagemaker"], var.endpoint_mode)
    error_message = "embedded or sagemaker."
  }
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint's instances follow its load. Turned on once a run of the pipeline has made the endpoint."
  type        = bool
  default     = false

  validation {
    condition     = !var.endpoint_autoscaling || var.endpoint_mode == "sagemaker"
    error_message = "Only an endpoint scales: set endpoint_mode = \"sagemaker\" too."
  }
}

variable "endpoint_instance" {
  description = "SageMaker's instance type for the endpoint."
  type        = string
  default     = "ml.m5.large"
}

variable "training_instance" {
  description = "SageMaker's instance type for training."
  type        = string
  default     = "ml.m5.xlarge"
}

variable "max_examples" {
  description = "Most training examples of a feature set."
  type        = number
  default     = 2000000
}

variable "gate_margin" {
  description = "By how much a model's Recall@10 has to be better than the serving one's."
  type        = number
  default     = 0
}

variable "gate_min_users" {
  description = "On how many users at least."
  type        = number
  default     = 20
}

variable "hyperparameters" {
  description = "Hyperparameters of training that go over those of the definition."
  type        = map(string)
  default     = {}
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
  description = "SHA-256 of each API key, in hex: alone, the key may do everything; behind scopes, what they say, as in events:write+recommendations:read=<hash>."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for hash in var.api_key_hashes : can(regex("^((events:write|recommendations:read|admin)([+](events:write|recommendations:read|admin))*=)?[0-9a-f]{64}$", hash))])
    error_message = "Each is the SHA-256 of a key, as 64 lower-case hex digits: printf %s \"$KEY\" | sha256sum. Not the key itself."
  }
}

variable "allow_anonymous" {
  description = "Says in so many words that the API is open to everybody, where there is no key."
  type        = bool
  default     = false

  validation {
    condition     = var.allow_anonymous || length(var.api_key_hashes) > 0
    error_message = "Without api_key_hashes everybody may use the API. Name a key's hash, or set allow_anonymous = true if that is what you want."
  }
}

variable "cors_origins" {
  description = "Origins whose pages may ask, such as https://shop.example; none named is all."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "An origin is a scheme and a host, such as https://shop.example, without a path."
  }
}

variable "direct_ingest" {
  description = "Whether producers that sign by IAM can put records into the stream without a function between."
  type        = bool
  default     = false
}

variable "requests_per_second" {
  description = "Requests a second above which the API answers 429."
  type        = number
  default     = 500
}

variable "burst" {
  description = "Requests at once above which the API answers 429."
  type        = number
  default     = 1000
}

variable "api_memory_mib" {
  description = "Memory of the API's function, which holds catalogue and model."
  type        = number
  default     = 1024
}

variable "api_concurrency" {
  description = "Reserved concurrency of the API's function; -1 is none."
  type        = number
  default     = -1
}

variable "consume_concurrency" {
  description = "Reserved concurrency of the consumer; -1 is none."
  type        = number
  default     = -1
}

variable "parallelization" {
  description = "Batches of one shard that the consumer takes at once, 1 to 10."
  type        = number
  default     = 2
}

variable "stream_shards" {
  description = "Shards of a provisioned stream; null is on demand."
  type        = number
  default     = null
}

variable "stream_retention_hours" {
  description = "How long an event can be read from the stream again."
  type        = number
  default     = 24
}

variable "delivery_buffer_mib" {
  description = "Delivery writes a file at this size."
  type        = number
  default     = 128
}

variable "delivery_buffer_seconds" {
  description = "Delivery writes a file after this time at the latest."
  type        = number
  default     = 300
}

variable "glue_max_workers" {
  description = "Most Spark workers of a run of the feature job."
  type        = number
  default     = 10
}

variable "web_domain" {
  description = "A domain of one's own for the web app, and the ARN of its certificate in us-east-1."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "web_acl_arn" {
  description = "ARN of a web ACL of WAF for the web app, in us-east-1."
  type        = string
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

  validation {
    condition     = var.github_repository == "" || can(regex("^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "owner/name, as GitHub writes it."
  }
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

  validation {
    condition     = var.github_repository == "" || var.state_bucket != ""
    error_message = "A workflow that deploys reads and writes the state: name its bucket."
  }
}
