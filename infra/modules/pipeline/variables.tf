variable "prefix" {
  description = "Start of every name, executions' included."
  type        = string
}

variable "partition" {
  description = "Partition of ARNs, such as aws."
  type        = string
}

variable "region" {
  description = "Region of everything the pipeline uses."
  type        = string
}

variable "account_id" {
  description = "The account of everything the pipeline uses."
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
  description = "The definition's functions (load, evaluate, publish, notify): name and ARN of each."
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
  description = "Most training examples of a feature set."
  type        = number
}

variable "training_image" {
  description = "Image of training and serving."
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
  description = "embedded or sagemaker."
  type        = string
}

variable "endpoint_instance" {
  description = "SageMaker's instance type for the endpoint."
  type        = string
}

variable "gate_margin" {
  description = "By how much a model's Recall@10 has to be better than the serving one's."
  type        = number
}

variable "gate_min_users" {
  description = "On how many users at least."
  type        = number
}

variable "hyperparameters" {
  description = "Hyperparameters that go over those of the definition."
  type        = map(string)
}

variable "schedule" {
  description = "Expression of EventBridge Scheduler, such as cron(0 3 * * ? *); empty is none."
  type        = string
}

variable "timezone" {
  description = "Time zone of the schedule."
  type        = string
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
