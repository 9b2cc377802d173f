output "image" {
  description = "Image of the built-in XGBoost for training and serving."
  value       = data.aws_sagemaker_prebuilt_ecr_image.xgboost.registry_path
}

output "role_arn" {
  description = "ARN of the role of training jobs and the endpoint."
  value       = module.role.arn
}
