variable "prefix" {
  description = "Prefix of every name, including those of executions."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of the pipeline's resources."
  type        = string
}

variable "account_id" {
  description = "Account of the pipeline's resources."
  type        = string
}

variable "definition" {
  description = "Path of the state machine's definition."
  type        = string
}

variable "lake_bucket" {
  description = "Name of the lake's bucket."
  type        = string
}

variable "functions" {
  description = "Name and ARN of each function of the definition: load, evaluate, publish, notify."
  type        = map(object({ name = string, arn = string }))
}

variable "features_job" {
  description = "Name of the feature job."
  type        = string
}

variable "features_job_arn" {
  description = "ARN of the feature job."
  type        = string
}

variable "max_examples" {
  description = "Maximum number of training examples of a feature set."
  type        = number
}

variable "training_image" {
  description = "Container image of training and serving."
  type        = string
}

variable "training_role_arn" {
  description = "ARN of the role of training and serving."
  type        = string
}

variable "training_instance" {
  description = "SageMaker's instance type for training."
  type        = string
}

variable "endpoint_mode" {
  description = "embedded or sagemaker: where models are scored."
  type        = string
}

variable "endpoint_instance" {
  description = "SageMaker's instance type for the endpoint."
  type        = string
}

variable "gate_margin" {
  description = "Margin by which a model's Recall@10 has to exceed that of the serving model."
  type        = number
}

variable "gate_min_users" {
  description = "Least number of users in that comparison."
  type        = number
}

variable "hyperparameters" {
  description = "Hyperparameters that override those of the definition."
  type        = map(string)
}

variable "search" {
  description = "off, quick or full: how many hyperparameters the pipeline tries."
  type        = string
}

variable "schedule" {
  description = "Expression of EventBridge Scheduler, such as cron(0 3 * * ? *); empty disables the schedule."
  type        = string
}

variable "timezone" {
  description = "Time zone of the schedule."
  type        = string
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
