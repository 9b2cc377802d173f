variable "prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "region" {
  description = "Region of the endpoints."
  type        = string
}

variable "cidr" {
  description = "Addresses of the network, a /16 to /24."
  type        = string
}

variable "zones" {
  description = "Names of 1 to 3 availability zones. Endpoints are billed for each. A new zone is added at the end, since the order determines the addresses."
  type        = list(string)

  validation {
    condition     = length(var.zones) >= 1 && length(var.zones) <= 3
    error_message = "Choose 1 to 3 availability zones."
  }
}

variable "serving" {
  description = "Whether an endpoint of SageMaker scores."
  type        = bool
}
