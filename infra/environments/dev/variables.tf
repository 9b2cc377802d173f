variable "name" {
  description = "Name of the system, the first part of every resource name."
  type        = string
  default     = "cartwheel"
}

variable "region" {
  description = "AWS region."
  type        = string
  default     = "eu-central-1"
}

variable "dist" {
  description = "Folder of the files that `make package` builds."
  type        = string
  default     = "../../../dist"
}

variable "glue_script" {
  description = "Path of the feature job's script."
  type        = string
  default     = "../../../glue/features.py"
}

variable "architecture" {
  description = "Architecture that the functions are built for: arm64 or x86_64."
  type        = string
  default     = "x86_64"
}

variable "stream_shards" {
  description = "Shards of a provisioned stream, which is cheaper for a small, steady load; null makes the stream on-demand."
  type        = number
  default     = null
}

variable "table_warm_throughput" {
  description = "Units per second, read and write, that the users table takes at once; null leaves it at 12000 and 4000, from which it grows with use. It is billed once, and can only be raised."
  type        = object({ read = number, write = number })
  default     = null
}

variable "requests_per_second" {
  description = "Requests per second above which the API answers 429. It bounds the cost of a flood of requests. Default: 10 in dev, 500 in prod."
  type        = number
  default     = null
}

variable "burst" {
  description = "Concurrent requests above which the API answers 429. Default: 50 in dev, 1000 in prod."
  type        = number
  default     = null
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

variable "glue_max_workers" {
  description = "Maximum number of Spark workers of the feature job."
  type        = number
  default     = 10
}

variable "max_examples" {
  description = "Maximum number of training examples of a feature set."
  type        = number
  default     = 2000000
}

variable "training_instance" {
  description = "SageMaker's instance type for training."
  type        = string
  default     = "ml.m5.xlarge"
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

variable "endpoint_instance" {
  description = "SageMaker's instance type for the endpoint."
  type        = string
  default     = "ml.m5.large"
}

variable "web" {
  description = "Whether to create the web app. A new account may not create CloudFront distributions until AWS Support has verified it."
  type        = bool
  default     = true
}

variable "web_acl_arn" {
  description = "ARN of a WAF web ACL in us-east-1 for the web app."
  type        = string
  default     = null
}

variable "endpoint_mode" {
  description = "embedded: the API's function scores, at no idle cost. sagemaker: an endpoint scores and bills by the hour."
  type        = string
  default     = "embedded"
}

variable "endpoint_autoscaling" {
  description = "Whether the endpoint scales with its load. Enable it after an execution of the pipeline has created the endpoint."
  type        = bool
  default     = false
}

variable "schedule" {
  description = "Schedule of the pipeline, such as cron(0 3 * * ? *); empty disables it, and user records expire 90 days after the last run. Default: weekly in dev, daily in prod."
  type        = string
  default     = null
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
}

variable "discovery" {
  description = "Least share of an answer, 0 to 1, that goes to products which the customer has not bought. It is recommend.discovery of a single machine."
  type        = number
  default     = 0
}

variable "api_key_hashes" {
  description = "SHA-256 of each API key, in hex. A bare hash grants every scope; scopes before the hash restrict it, as in events:write+recommendations:read=<hash>."
  type        = list(string)
  default     = []
}

variable "allow_anonymous" {
  description = "Opens the API to everybody; has to be true if there are no API keys."
  type        = bool
  default     = false
}

variable "cors_origins" {
  description = "Origins whose pages may call the API, such as https://shop.example; an empty list allows all."
  type        = list(string)
  default     = []
}

variable "image_hosts" {
  description = "Origins of other sites whose pictures the web app may show, such as https://cdn.shop.example."
  type        = list(string)
  default     = []
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

variable "alarm_email" {
  description = "Email address for alarms and notices; empty sends no email."
  type        = string
  default     = ""
}

variable "monthly_budget_usd" {
  description = "Monthly cost of the account in USD above which a notice is sent; 0 disables it. Default: 60 in dev, 0 in prod."
  type        = number
  default     = null
}

variable "github_repository" {
  description = "GitHub repository whose workflows may deploy, as owner@ID/name@ID; empty allows none. docs/deploy.md shows how to find the IDs."
  type        = string
  default     = ""
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
}

variable "kms_key_arn" {
  description = "ARN of a customer-managed KMS key; null uses keys of AWS."
  type        = string
  default     = null
}
