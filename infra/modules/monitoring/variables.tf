variable "prefix" {
  description = "Prefix of every name, and the name of the dashboard."
  type        = string
}

variable "region" {
  description = "Region of the metrics."
  type        = string
}

variable "alarms" {
  description = "Whether to create alarms, which are billed monthly beyond the account's first ten."
  type        = bool
}

variable "topic_arn" {
  description = "ARN of the topic of the alarms."
  type        = string
}

variable "functions" {
  description = "Names of the functions by their purpose, including `consume`."
  type        = map(string)
}

variable "deliveries" {
  description = "Name of the delivery stream of each table."
  type        = map(string)
}

variable "freshness_seconds" {
  description = "Age of the oldest undelivered record, in seconds, that raises an alarm."
  type        = number
}

variable "latency_ms" {
  description = "99th percentile of the API's latency, in milliseconds, that raises an alarm."
  type        = number
  default     = 1000
}

variable "api_id" {
  description = "ID of the API."
  type        = string
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "dead_letters_name" {
  description = "Name of the dead-letter queue."
  type        = string
}

variable "table_name" {
  description = "Name of the users table."
  type        = string
}

variable "state_machine_arn" {
  description = "ARN of the pipeline."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint; empty if there is none."
  type        = string
}
