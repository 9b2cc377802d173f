//! Changes of single fields.

use cartwheel_events::Invalid;
use serde_json::{Map, Value};

use crate::product::Product;
use crate::validate::{check_fields, object};

/// A JSON merge patch of a product (RFC 7396): each field replaces the product's, null
/// removes it, and `attributes` is merged by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductPatch(Map<String, Value>);

impl ProductPatch {
    /// Reads a patch.
    ///
    /// # Errors
    /// When it is not a JSON object, or names an unknown field.
    pub fn from_json(value: Value) -> Result<Self, Invalid> {
        let fields = object(value, "the patch")?;
        check_fields(&fields)?;
        Ok(Self(fields))
    }

    /// Returns the product with the patch applied.
    ///
    /// # Errors
    /// The first field of the result that is not valid, such as another `product_id`.
    pub fn apply(&self, product: &Product) -> Result<Product, Invalid> {
        let mut document = product.to_json();
        merge(&mut document, &self.0);
        Product::with_id(document, product.product_id.clone())
    }
}

/// `MergePatch` of RFC 7396, section 2, for a patch that is an object.
fn merge(target: &mut Value, patch: &Map<String, Value>) {
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    for (name, value) in patch {
        match value {
            Value::Null => {
                fields.remove(name);
            }
            Value::Object(inner) => {
                merge(fields.entry(name.as_str()).or_insert(Value::Null), inner)
            }
            other => {
                fields.insert(name.clone(), other.clone());
            }
        }
    }
}
