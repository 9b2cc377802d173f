# Readable views for Athena: user records, which are bytes, and the lines of checkouts.
#
#   SELECT * FROM users WHERE feature_set = '20261123-211200' ORDER BY orders DESC LIMIT 10

locals {
  # Name, offset and kind of each column at the beginning of a record, as cartwheel-features encodes it.
  # A test of that crate reads these lines.
  record = [
    ["orders", 1, "u32"],
    ["orders_applied", 5, "u32"],
    ["lines", 9, "u32"],
    ["later_lines", 13, "u32"],
    ["reordered_lines", 17, "u32"],
    ["days", 21, "f32"],
    ["recent_lines_per_order", 25, "f32"],
    ["recent_reordered_share", 29, "f32"],
    ["last_order_ms", 33, "i64"],
    ["first_order_ms", 41, "i64"],
  ]
  # The functions read big-endian bytes, positions begin with 1, and the least number stands for none.
  kinds = {
    u32 = { type = "integer", read = "from_big_endian_32(reverse(substr(record, %d, 4)))" }
    f32 = { type = "real", read = "from_ieee754_32(reverse(substr(record, %d, 4)))" }
    i64 = { type = "bigint", read = "nullif(from_big_endian_64(reverse(substr(record, %d, 8))), -9223372036854775807 - 1)" }
  }
  views = {
    users = {
      sql = join(" ", [
        "SELECT feature_set, user_id,",
        join(", ", [for c in local.record : "${format(local.kinds[c[2]].read, tonumber(c[1]) + 1)} AS ${c[0]}"]),
        "FROM user_records",
      ])
      columns = concat(
        [["feature_set", "varchar"], ["user_id", "varchar"]],
        [for c in local.record : [c[0], local.kinds[c[2]].type]],
      )
    }
    purchases = {
      sql = join(" ", [
        "SELECT event_id, user_id, from_unixtime(received_at_ms / 1000) AS bought_at,",
        "product_id, quantity, price, year, month, day, hour",
        "FROM events CROSS JOIN UNNEST(product_ids, quantities, prices) AS line (product_id, quantity, price)",
        "WHERE event = 'checkout'",
      ])
      columns = [
        ["event_id", "varchar"], ["user_id", "varchar"], ["bought_at", "timestamp(3)"],
        ["product_id", "varchar"], ["quantity", "integer"], ["price", "double"],
        ["year", "varchar"], ["month", "varchar"], ["day", "varchar"], ["hour", "varchar"],
      ]
    }
  }
  hive = { varchar = "string", integer = "int", real = "float", "timestamp(3)" = "timestamp" }
}

# The records of every feature set. A query names the feature set, which is a part of the path.
resource "aws_glue_catalog_table" "user_records" {
  name          = "user_records"
  database_name = aws_glue_catalog_database.lake.name
  table_type    = "EXTERNAL_TABLE"
  parameters = {
    EXTERNAL                      = "TRUE"
    classification                = "parquet"
    "projection.enabled"          = "true"
    "projection.feature_set.type" = "injected"
    "storage.location.template"   = "s3://${var.lake_bucket}/features/$${feature_set}/users/"
  }

  partition_keys {
    name = "feature_set"
    type = "string"
  }

  storage_descriptor {
    location      = "s3://${var.lake_bucket}/features/"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    }

    columns {
      name = "user_id"
      type = "string"
    }
    columns {
      name = "record"
      type = "binary"
    }
  }
}

resource "aws_glue_catalog_table" "view" {
  for_each           = local.views
  name               = each.key
  database_name      = aws_glue_catalog_database.lake.name
  table_type         = "VIRTUAL_VIEW"
  parameters         = { presto_view = "true", comment = "Presto View" }
  view_expanded_text = "/* Presto View */"
  view_original_text = "/* Presto View: ${base64encode(jsonencode({
    originalSql = each.value.sql
    catalog     = "awsdatacatalog"
    schema      = aws_glue_catalog_database.lake.name
    columns     = [for column in each.value.columns : { name = column[0], type = column[1] }]
  }))} */"

  storage_descriptor {
    dynamic "columns" {
      for_each = each.value.columns
      content {
        name = columns.value[0]
        type = lookup(local.hive, columns.value[1], columns.value[1])
      }
    }
  }
}
