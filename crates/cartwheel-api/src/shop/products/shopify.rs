//! A product of Shopify, as its webhooks send it.

use cartwheel_catalogue::{MAX_TAGS, ProductPatch};
use cartwheel_events::ProductId;
use serde_json::{Map, Value, json};

use crate::http::problem::Problem;
use crate::shop::products::change::{Change, Edit, change};
use crate::shop::products::etag::Condition;
use crate::state::Shared;

/// Creates or changes the product of a webhook's body. What Shopify does not know of it stays as it is.
/// `shop` is the host of the shop's pages.
///
/// # Errors
/// When the product is not valid, or cannot be stored.
pub(crate) async fn keep(state: &Shared, body: &Value, shop: Option<&str>) -> Result<(), Problem> {
    let patch = ProductPatch::from_json(patch(body, shop))?;
    one(state, body, Edit::Merge(patch)).await
}

/// Removes the product of a webhook's body.
///
/// # Errors
/// When the body names none, or the removal cannot be stored.
pub(crate) async fn remove(state: &Shared, body: &Value) -> Result<(), Problem> {
    one(state, body, Edit::Delete).await
}

async fn one(state: &Shared, body: &Value, edit: Edit) -> Result<(), Problem> {
    let id = body["id"].as_u64().map(|id| ProductId::new(id.to_string()));
    let Some(Ok(product_id)) = id else {
        let detail = "The body names no product.";
        return Err(Problem::field("id", detail, "the product's id, a number"));
    };
    let change_of = Change { product_id, edit, condition: Condition::Any };
    let results = change(state, vec![Ok(change_of)]).await?;
    results.into_iter().try_for_each(|result| result.map(drop))
}

/// What a product of Shopify tells, as a merge patch.
fn patch(product: &Value, shop: Option<&str>) -> Value {
    let text = |field: &str| product[field].as_str().map(str::trim).filter(|text| !text.is_empty());
    let variants = product["variants"].as_array().map(Vec::as_slice).unwrap_or_default();
    let amount = |variant: &Value, field: &str| {
        variant[field].as_str().and_then(|text| text.parse::<f64>().ok())
    };
    let cheapest =
        variants.iter().filter(|variant| amount(variant, "price").is_some()).min_by(|a, b| {
            amount(a, "price").partial_cmp(&amount(b, "price")).unwrap_or(std::cmp::Ordering::Equal)
        });
    let before = cheapest.filter(|v| amount(v, "compare_at_price") > amount(v, "price"));
    // Shopify sells beyond the stock, or does not count it, where the shop says so.
    let can_be_bought = |variant: &Value| {
        variant["inventory_management"].is_null()
            || variant["inventory_policy"] == "continue"
            || variant["inventory_quantity"].as_i64().is_some_and(|left| left > 0)
    };
    let tags = text("tags").into_iter().flat_map(|tags| tags.split(',')).map(str::trim);
    let tags: Vec<&str> = tags.filter(|tag| !tag.is_empty()).take(MAX_TAGS).collect();
    let is_published = !product["published_at"].is_null();
    let is_active = product["status"].as_str().is_none_or(|status| status == "active");
    let page = text("handle").zip(shop);
    let mut patch = Map::new();
    let mut set = |field: &str, value: Value| drop(patch.insert(field.to_owned(), value));
    set("name", json!(text("title")));
    set("brand", json!(text("vendor")));
    set("categories", json!(text("product_type").map(|kind| [kind])));
    set("price", cheapest.map_or(Value::Null, |variant| variant["price"].clone()));
    set("list_price", before.map_or(Value::Null, |variant| variant["compare_at_price"].clone()));
    set("image_url", product["image"]["src"].clone());
    set("url", json!(page.map(|(handle, shop)| format!("https://{shop}/products/{handle}"))));
    set("in_stock", variants.iter().any(can_be_bought).into());
    set("hidden", (!is_published || !is_active).into());
    set("tags", json!(tags));
    patch.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shirt() -> Value {
        json!({
            "id": 788_032_119_674_292_922_u64, "title": "Example T-Shirt", "body_html": "<p>A shirt</p>",
            "vendor": "Acme", "product_type": "Shirts", "handle": "example-t-shirt",
            "created_at": null, "updated_at": "2023-11-14T17:13:20-05:00",
            "published_at": "2023-11-14T17:13:20-05:00", "status": "active",
            "tags": "mens, , summer",
            "variants": [
                {"id": 1, "price": "21.50", "compare_at_price": null, "inventory_quantity": 0,
                 "inventory_policy": "deny", "inventory_management": "shopify"},
                {"id": 2, "price": "19.99", "compare_at_price": "24.99", "inventory_quantity": 75,
                 "inventory_policy": "deny", "inventory_management": "shopify"},
            ],
            "image": {"src": "https://cdn.example/shirt.jpg"},
        })
    }

    #[test]
    fn a_product_is_known_by_its_cheapest_variant() {
        let expected = json!({
            "name": "Example T-Shirt", "brand": "Acme", "categories": ["Shirts"], "price": "19.99",
            "list_price": "24.99", "image_url": "https://cdn.example/shirt.jpg",
            "url": "https://shop.example/products/example-t-shirt", "in_stock": true,
            "hidden": false, "tags": ["mens", "summer"],
        });
        assert_eq!(patch(&shirt(), Some("shop.example")), expected);
    }

    #[test]
    fn what_is_missing_is_removed() {
        let bare =
            patch(&json!({"id": 1, "title": "", "image": null, "published_at": "now"}), None);
        for field in ["name", "brand", "categories", "price", "list_price", "image_url", "url"] {
            assert_eq!(bare[field], Value::Null, "{field}");
        }
        assert_eq!((&bare["in_stock"], &bare["hidden"]), (&json!(false), &json!(false)));
    }

    #[test]
    fn stock_and_status_decide_whether_it_is_shown() {
        let mut sold_out = shirt();
        sold_out["variants"][1]["inventory_quantity"] = json!(0);
        assert_eq!(patch(&sold_out, None)["in_stock"], false);
        sold_out["variants"][0]["inventory_policy"] = json!("continue");
        assert_eq!(patch(&sold_out, None)["in_stock"], true);
        for (field, value) in [("status", json!("draft")), ("published_at", Value::Null)] {
            let mut hidden = shirt();
            hidden[field] = value;
            assert_eq!(patch(&hidden, None)["hidden"], true, "{field}");
        }
    }
}
