variable "name" {
  description = "Name of the bucket, unique in all of AWS."
  type        = string
}

variable "force_destroy" {
  description = "Whether destroying removes a bucket that holds objects."
  type        = bool
}

variable "kms_key_arn" {
  description = "Customer's key. Without one, S3's own keys encrypt."
  type        = string
  default     = null
}

variable "statements" {
  description = "Further statements of the bucket's policy, as IAM writes them. They may name the bucket by its ARN."
  type        = any
  default     = []
}

variable "expire_days" {
  description = "Prefix to the days after which its objects expire."
  type        = map(number)
  default     = {}
}

variable "expire_noncurrent_days" {
  description = "Prefix to the days after which what was overwritten or deleted under it is gone."
  type        = map(number)
  default     = {}
}
