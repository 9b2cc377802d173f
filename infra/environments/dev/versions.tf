terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The version that infra/check knows. `terraform init` locks its hashes in .terraform.lock.hcl.
      version = "6.25.0"
    }
  }
  # Configured by: terraform init -backend-config=backend.hcl
  backend "s3" {}
}

provider "aws" {
  region = var.region
  default_tags {
    tags = {
      Project     = var.name
      Environment = local.environment
      ManagedBy   = "terraform"
    }
  }
}
