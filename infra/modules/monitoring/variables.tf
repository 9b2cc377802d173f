variable "prefix" {
  description = "Start of every name, and the dashboard's name."
  type        = string
}

variable "region" {
  description = "Region of the metrics."
  type        = string
}

variable "alarms" {
  description = "Whether there are alarms; each bills by the month beyond the account's first ten."
  type        = bool
}

variable "topic_arn" {
  description = "Whom alarms tell."
  type        = string
}

variable "functions" {
  description = "Functions by what they do; `consume` is among them."
  type        = map(string)
}

variable "deliveries" {
  description = "Table to the name of its delivery stream."
  type        = map(string)
}

variable "freshness_seconds" {
  description = "Age of the oldest undelivered record above which delivery is late."
  type        = number
}

variable "latency_ms" {
  description = "The API's 99th percentile above which it is slow."
  type        = number
  default     = 1000
}

variable "api_id" {
  description = "Id of the API."
  type        = string
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "dead_letters_name" {
  description = "Name of the queue of records that could not be processed."
  type        = string
}

variable "table_name" {
  description = "Name of the users' table."
  type        = string
}

variable "state_machine_arn" {
  description = "ARN of the pipeline."
  type        = string
}

variable "endpoint_name" {
  description = "Name of the endpoint; empty where there is none."
  type        = string
}
