variable "api_id" {
  description = "ID of the HTTP API that gets the route."
  type        = string
}

variable "stream_name" {
  description = "Name of the stream."
  type        = string
}

variable "role_arn" {
  description = "ARN of the role with which API Gateway puts records into the stream."
  type        = string
}
