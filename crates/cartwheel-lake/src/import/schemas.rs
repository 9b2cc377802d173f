//! The schemas of the imported tables.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};

fn schema(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let field = |(name, kind, nullable): &(&str, DataType, bool)| {
        Field::new(*name, kind.clone(), *nullable)
    };
    Arc::new(Schema::new(fields.iter().map(field).collect::<Vec<_>>()))
}

/// The columns of `orders`.
pub(super) fn orders() -> SchemaRef {
    use DataType::{Float32, Int32, Int64, Utf8};
    schema(&[
        ("order_id", Utf8, false),
        ("user_id", Utf8, false),
        ("eval_set", Utf8, false),
        ("order_number", Int32, false),
        ("ordered_at_ms", Int64, true),
        ("order_dow", Int32, true),
        ("order_hour_of_day", Int32, true),
        ("days_since_prior_order", Float32, true),
    ])
}

/// The columns of `order_products`. Each line repeats user and order number, so that a reader
/// that groups by user needs no join.
pub(super) fn order_products() -> SchemaRef {
    use DataType::{Int32, Utf8};
    schema(&[
        ("order_id", Utf8, false),
        ("product_id", Utf8, false),
        ("add_to_cart_order", Int32, false),
        ("reordered", Int32, true),
        ("user_id", Utf8, false),
        ("order_number", Int32, false),
    ])
}

/// The columns of `products`.
pub(super) fn products() -> SchemaRef {
    use DataType::Utf8;
    schema(&[
        ("product_id", Utf8, false),
        ("product_name", Utf8, false),
        ("aisle_id", Utf8, false),
        ("aisle", Utf8, false),
        ("department_id", Utf8, false),
        ("department", Utf8, false),
    ])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::delivery::encode::imported_batch;
    use crate::import::baskets::baskets_batch;

    /// The columns of a table in the Glue catalogue.
    fn catalogued(table: &str) -> BTreeMap<String, String> {
        let tables = include_str!("../../../../infra/modules/delivery/tables.tf");
        let begin = format!("    {table} = [");
        let lines = tables.lines().skip_while(|line| *line != begin).skip(1);
        let column = |line: &str| {
            let mut cells = line.split('"').skip(1).step_by(2).map(str::to_owned);
            (cells.next().unwrap(), cells.next().unwrap())
        };
        lines.take_while(|line| *line != "    ]").map(column).collect()
    }

    /// The type of a column in the catalogue.
    fn hive(kind: &DataType) -> String {
        match kind {
            DataType::Utf8 => "string".to_owned(),
            DataType::Int32 => "int".to_owned(),
            DataType::Int64 => "bigint".to_owned(),
            DataType::Float32 => "float".to_owned(),
            DataType::Float64 => "double".to_owned(),
            DataType::List(item) => format!("array<{}>", hive(item.data_type())),
            other => panic!("the catalogue has no column of {other}"),
        }
    }

    #[test]
    fn the_catalogue_on_aws_has_the_columns_of_imports() {
        let columns = |schema: SchemaRef| -> BTreeMap<String, String> {
            let fields = schema.fields().iter();
            fields.map(|field| (field.name().clone(), hive(field.data_type()))).collect()
        };
        // Imported events have no position in the stream, and its columns are null.
        let events = imported_batch(&[]).unwrap().schema();
        let is_position = |name: &str| ["shard", "sequence"].contains(&name);
        let kept = events.fields().iter().filter(|field| !is_position(field.name())).cloned();
        let events = Arc::new(Schema::new(kept.collect::<Vec<_>>()));
        for (table, schema) in [
            ("orders", orders()),
            ("order_products", order_products()),
            ("products", products()),
            ("baskets", baskets_batch(&[]).unwrap().schema()),
            ("events", events),
        ] {
            assert_eq!(catalogued(table), columns(schema), "{table}");
        }
    }
}
