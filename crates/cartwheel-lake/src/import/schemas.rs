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
