# The lake's tables in the Glue Data Catalog. Delivery uses the first two as the schema of
# its files, and Athena can query all of them. Columns may be added, but not removed. A test of
# cartwheel-lake compares them with the files that imports write.

locals {
  delivered = {
    events = [
      ["schema_version", "int"],
      ["event_id", "string"],
      ["user_id", "string"],
      ["session_id", "string"],
      ["event", "string"],
      ["product_ids", "array<string>"],
      ["quantities", "array<int>"],
      ["prices", "array<double>"],
      ["timestamp_ms", "bigint"],
      ["source", "string"],
      ["recommendation_id", "string"],
      ["received_at_ms", "bigint"],
      ["anonymous_id", "string"],
      ["backfilled_at_ms", "bigint"],
      ["query", "string"],
      ["country", "string"],
    ]
    impressions = [
      ["schema_version", "int"],
      ["recommendation_id", "string"],
      ["user_id", "string"],
      ["release", "string"],
      ["cart", "array<string>"],
      ["shown", "array<struct<product_id:string,position:int,score:double,source:string,rule:string,propensity:double>>"],
      ["received_at_ms", "bigint"],
      ["placement", "string"],
      ["page", "string"],
      ["moment", "string"],
    ]
  }
  imported = {
    orders = [
      ["order_id", "string"],
      ["user_id", "string"],
      ["eval_set", "string"],
      ["order_number", "int"],
      ["ordered_at_ms", "bigint"],
      ["order_dow", "int"],
      ["order_hour_of_day", "int"],
      ["days_since_prior_order", "float"],
    ]
    order_products = [
      ["order_id", "string"],
      ["product_id", "string"],
      ["add_to_cart_order", "int"],
      ["reordered", "int"],
      ["user_id", "string"],
      ["order_number", "int"],
    ]
    products = [
      ["product_id", "string"],
      ["product_name", "string"],
      ["aisle_id", "string"],
      ["aisle", "string"],
      ["department_id", "string"],
      ["department", "string"],
    ]
    baskets = [
      ["basket_id", "string"],
      ["event", "string"],
      ["product_ids", "array<string>"],
      ["quantities", "array<int>"],
      ["prices", "array<double>"],
      ["ordered_at_ms", "bigint"],
    ]
  }
  # Partitions are computed from the time, so that they need not be registered.
  hours = {
    year  = { range = "2024,2099", digits = 4 }
    month = { range = "1,12", digits = 2 }
    day   = { range = "1,31", digits = 2 }
    hour  = { range = "0,23", digits = 2 }
  }
  projection = merge([for name, unit in local.hours : {
    "projection.${name}.type"   = "integer"
    "projection.${name}.range"  = unit.range
    "projection.${name}.digits" = tostring(unit.digits)
  }]...)
  by_hour = "year=%[1]s{year}/month=%[1]s{month}/day=%[1]s{day}/hour=%[1]s{hour}/"
}

resource "aws_glue_catalog_database" "lake" {
  name        = replace(var.prefix, "-", "_")
  description = "Tables of the lake ${var.lake_bucket}."
}

resource "aws_glue_catalog_table" "this" {
  for_each      = merge(local.delivered, local.imported)
  name          = each.key
  database_name = aws_glue_catalog_database.lake.name
  table_type    = "EXTERNAL_TABLE"
  parameters = merge(
    { EXTERNAL = "TRUE", classification = "parquet" },
    contains(keys(local.delivered), each.key) ? merge(local.projection, {
      "projection.enabled"        = "true"
      "storage.location.template" = "s3://${var.lake_bucket}/${each.key}/${format(local.by_hour, "$")}"
    }) : {},
  )

  dynamic "partition_keys" {
    for_each = contains(keys(local.delivered), each.key) ? ["year", "month", "day", "hour"] : []
    content {
      name = partition_keys.value
      type = "string"
    }
  }

  storage_descriptor {
    location      = "s3://${var.lake_bucket}/${each.key}/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = each.value
      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}

# Imported events, beside the delivered ones. A query names imports, whose ids are a part of the path.
resource "aws_glue_catalog_table" "imported_events" {
  name          = "imported_events"
  database_name = aws_glue_catalog_database.lake.name
  table_type    = "EXTERNAL_TABLE"
  parameters = {
    EXTERNAL                    = "TRUE"
    classification              = "parquet"
    "projection.enabled"        = "true"
    "projection.import_id.type" = "injected"
    "storage.location.template" = "s3://${var.lake_bucket}/events/import=$${import_id}/"
  }

  partition_keys {
    name = "import_id"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.lake_bucket}/events/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    dynamic "columns" {
      for_each = local.delivered.events
      content {
        name = columns.value[0]
        type = columns.value[1]
      }
    }
  }
}
