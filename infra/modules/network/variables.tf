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
  description = "Number of availability zones, 1 to 3. Endpoints are billed for each."
  type        = number

  validation {
    condition     = var.zones >= 1 && var.zones <= 3
    error_message = "Choose 1 to 3 availability zones."
  }
}

variable "serving" {
  description = "Whether an endpoint of SageMaker scores."
  type        = bool
}
