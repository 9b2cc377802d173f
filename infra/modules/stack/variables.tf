variable "name" {
  description = "Name of the system, the first part of every resource name."
  type        = string
  default     = "cartwheel"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,15}$", var.name))
    error_message = "Use 1 to 16 characters of a-z, 0-9 and -, starting with a letter: names of buckets, SageMaker and the catalogue are limited."
  }
}

variable "environment" {
  description = "Name of the environment, the second part of every resource name."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{0,7}$", var.environment))
    error_message = "Use 1 to 8 characters of a-z and 0-9, starting with a letter."
  }
}

variable "protect" {
  description = "Whether data is protected: buckets with objects are not destroyed, the table has deletion protection and point-in-time recovery, and overwritten objects are kept longer."
  type        = bool
}

variable "alarms" {
  description = "Whether to create alarms, which are billed monthly beyond the account's first ten."
  type        = bool
}

variable "log_retention_days" {
  description = "Days that logs are kept."
  type        = number

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "Choose a retention that CloudWatch supports: 1, 3, 5, 7, 14, 30, 60, 90, … days."
  }
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key for all data at rest except the public web app; null uses keys of AWS, which have no idle cost."
  type        = string
  default     = null
}

variable "dist" {
  description = "Folder of the files that `make package` builds."
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
  description = "Architecture of the functions: arm64 or x86_64."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "Choose arm64 or x86_64."
  }
}

variable "endpoint_mode" {
  description = "embedded: the API's function scores, at no idle cost. sagemaker: an endpoint scores and bills by the hour."
  type        = string
  default     = "embedded"

  validation {
    condition     = contains(["embedded", "sagemaker"], var.endpoint_mode)
    error_message = "Choose embedded or sagemaker."
  }
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint scales with its load. Enable it after an execution of the pipeline has created the endpoint."
  type        = bool
  default     = false

  validation {
    condition     = !var.endpoint_autoscaling || var.endpoint_mode == "sagemaker"
    error_message = "Scaling needs an endpoint: set endpoint_mode = \"sagemaker\" too."
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
  description = "Maximum number of training examples of a feature set."
  type        = number
  default     = 2000000
}

variable "gate_margin" {
  description = "Margin by which a model's Recall@10 has to exceed that of the serving model."
  type        = number
  default     = 0
}

variable "gate_min_users" {
  description = "Least number of users in that comparison."
  type        = number
  default     = 20
}

variable "hyperparameters" {
  description = "Hyperparameters of training that override those of the definition."
  type        = map(string)
  default     = {}
}

variable "search" {
  description = "off, quick or full: how many hyperparameters the pipeline tries."
  type        = string
  default     = "quick"

  validation {
    condition     = contains(["off", "quick", "full"], var.search)
    error_message = "search must be off, quick or full."
  }
}

variable "schedule" {
  description = "Schedule of the pipeline, such as cron(0 3 * * ? *); empty disables it."
  type        = string
  default     = ""
}

variable "timezone" {
  description = "Time zone of the shop's days and of the schedule."
  type        = string
  default     = "UTC"
}

variable "label" {
  description = "What the model predicts: auto, next_basket, next_interaction, next_purchase, or events with weights such as purchase=1, cart=0.3, click=0.05. It is train.label of a single machine."
  type        = string
  default     = "auto"

  validation {
    condition     = can(regex("^(auto|next_basket|next_interaction|next_purchase|(purchase|cart|click)=[0-9.]+(, *(purchase|cart|click)=[0-9.]+)*)$", var.label))
    error_message = "Choose auto, next_basket, next_interaction, next_purchase, or events with weights such as purchase=1, cart=0.3, click=0.05."
  }
}

variable "discovery" {
  description = "Least share of an answer, 0 to 1, that goes to products which the customer has not bought. It is recommend.discovery of a single machine."
  type        = number
  default     = 0

  validation {
    condition     = var.discovery >= 0 && var.discovery <= 1
    error_message = "Choose a share from 0 to 1."
  }
}

variable "api_key_hashes" {
  description = "SHA-256 of each API key, in hex. A bare hash grants every scope; scopes before the hash restrict it, as in events:write+recommendations:read=<hash>. ;publishable=cwp_<digits> and ;signing=cws_<digits> may follow."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for hash in var.api_key_hashes : can(regex("^(([A-Za-z0-9._:@-]{1,64}@)?(events:write|recommendations:read|admin)([+](events:write|recommendations:read|admin))*=)?[0-9a-f]{64}(;publishable=cwp_[0-9a-f]{32})?(;signing=cws_[0-9a-f]{64})?$", hash))])
    error_message = "Each entry is the SHA-256 of a key, not the key itself: 64 lowercase hex digits, as printed by: printf %s \"$KEY\" | sha256sum"
  }
}

variable "allow_anonymous" {
  description = "Opens the API to everybody; has to be true if there are no API keys."
  type        = bool
  default     = false

  validation {
    condition     = var.allow_anonymous || length(var.api_key_hashes) > 0
    error_message = "Without api_key_hashes everybody may use the API. Add the hash of a key, or set allow_anonymous = true."
  }
}

variable "cors_origins" {
  description = "Origins whose pages may call the API, such as https://shop.example; an empty list allows all."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "An origin consists of a scheme and a host, such as https://shop.example, without a path."
  }

  validation {
    condition     = length(var.cors_origins) == 0 || !var.web || var.web_domain != null || anytrue([for origin in var.cors_origins : endswith(origin, ".cloudfront.net")])
    error_message = "cors_origins excludes the environment's own web app. Add its address, the output web_url, to the list (deploy once with an empty list to find out), or set web_domain, or web = false."
  }
}

variable "image_hosts" {
  description = "Origins of other sites whose pictures the web app may show, such as https://cdn.shop.example."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for host in var.image_hosts : can(regex("^https?://[a-z0-9.:-]+$", host))])
    error_message = "A host is given as https://cdn.shop.example, in lower case and without a path."
  }
}

variable "direct_ingest" {
  description = "Whether producers with IAM credentials can put records into the stream without a function."
  type        = bool
  default     = false
}

variable "browser_ingest" {
  description = "Whether pages can put events into the stream without a function, through a REST API with a key of its own, under the limits of requests_per_second and burst."
  type        = bool
  default     = false
}

variable "requests_per_second" {
  description = "Requests per second above which the API answers 429. It bounds the cost of a flood of requests."
  type        = number

  validation {
    condition     = var.requests_per_second > 0 && (var.requests_per_second <= 50 || length(var.api_key_hashes) > 0)
    error_message = "Without API keys everybody can cause cost: use at most 50 requests per second, or set api_key_hashes."
  }
}

variable "burst" {
  description = "Concurrent requests above which the API answers 429."
  type        = number

  validation {
    condition     = var.burst >= var.requests_per_second
    error_message = "burst has to be at least requests_per_second."
  }
}

variable "api_memory_mib" {
  description = "Memory of the API's function in MiB; it holds the catalogue and the model."
  type        = number
  default     = 1024
}

variable "api_scratch_mib" {
  description = "Size of /tmp of the API's function in MiB; it holds a release."
  type        = number
  default     = 512

  validation {
    condition     = var.api_scratch_mib >= 512 && var.api_scratch_mib <= 10240
    error_message = "Lambda offers 512 to 10240 MiB."
  }
}

variable "api_concurrency" {
  description = "Reserved concurrency of the API's function; -1 reserves none."
  type        = number
  default     = -1
}

variable "consume_concurrency" {
  description = "Reserved concurrency of the consumer; -1 reserves none."
  type        = number
  default     = -1
}

variable "parallelization" {
  description = "Batches of one shard that the consumer processes concurrently, 1 to 10. An on-demand stream begins with 4 shards, and a new account may run 10 functions at once."
  type        = number
  default     = 1
}

variable "stream_shards" {
  description = "Shards of a provisioned stream; null makes the stream on-demand."
  type        = number
  default     = null
}

variable "stream_retention_hours" {
  description = "Hours that events stay readable in the stream."
  type        = number
  default     = 24
}

variable "delivery_buffer_mib" {
  description = "Size at which delivery writes a file, in MiB."
  type        = number
  default     = 128
}

variable "delivery_buffer_seconds" {
  description = "Seconds after which delivery writes a file at the latest."
  type        = number
  default     = 300
}

variable "glue_max_workers" {
  description = "Maximum number of Spark workers of the feature job."
  type        = number
  default     = 10
}

variable "table_warm_throughput" {
  description = "Units per second, read and write, that the users table takes at once; null leaves it at 12000 and 4000, from which it grows with use. It is billed once, and can only be raised."
  type        = object({ read = number, write = number })
  default     = null

  validation {
    condition     = var.table_warm_throughput == null || try(var.table_warm_throughput.read >= 12000 && var.table_warm_throughput.write >= 4000, false)
    error_message = "Warm throughput is at least 12000 read and 4000 write units per second."
  }
}

variable "web" {
  description = "Whether to create the web app. A new account may not create CloudFront distributions until AWS Support has verified it."
  type        = bool
  default     = true
}

variable "vpc" {
  description = "Puts functions, the feature job and training into private subnets with endpoints of the services in place of a NAT gateway: addresses (a /16 to /24) and names of 1 to 3 availability zones. Each endpoint costs $7 a month and zone. null: no VPC."
  type        = object({ cidr = string, zones = list(string) })
  default     = null
}

variable "web_domain" {
  description = "Domain of the web app, and the ARN of its certificate in us-east-1; null uses CloudFront's domain."
  type        = object({ name = string, certificate_arn = string })
  default     = null
}

variable "web_acl_arn" {
  description = "ARN of a WAF web ACL in us-east-1 for the web app."
  type        = string
  default     = null
}

variable "alarm_email" {
  description = "Email address for alarms and notices; empty sends no email."
  type        = string
  default     = ""
}

variable "monthly_budget_usd" {
  description = "Monthly cost of the account in USD above which a notice is sent; 0 disables it."
  type        = number
  default     = 0
}

variable "github_repository" {
  description = "GitHub repository whose workflows may deploy, as owner@ID/name@ID; empty allows none. One that has not been created, renamed or transferred since July 2026 may be given as owner/name."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || can(regex("^([A-Za-z0-9._-]+/[A-Za-z0-9._-]+|[A-Za-z0-9._-]+@[0-9]+/[A-Za-z0-9._-]+@[0-9]+)$", var.github_repository))
    error_message = "Write the repository as owner@ID/name@ID, or as owner/name. The IDs: gh api repos/OWNER/NAME --jq '\"\\(.owner.login)@\\(.owner.id)/\\(.name)@\\(.id)\"'"
  }
}

variable "github_provider_arn" {
  description = "ARN of the account's identity provider for GitHub; empty creates it."
  type        = string
  default     = ""
}

variable "state_bucket" {
  description = "Bucket of the Terraform state, which the workflows also access."
  type        = string
  default     = ""

  validation {
    condition     = var.github_repository == "" || var.state_bucket != ""
    error_message = "Set state_bucket: workflows that deploy access the Terraform state."
  }
}
