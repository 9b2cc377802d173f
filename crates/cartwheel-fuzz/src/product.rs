//! Products and patches of clients, and records of products.

use cartwheel_catalogue::{MAX_PRODUCT_BYTES, Product, ProductPatch};
use cartwheel_events::{Invalid, ProductId, ProductRecord, Record};
use serde_json::Value;

/// Any JSON is a valid, bounded product or an error that names a field; a patch that can be
/// applied changes nothing the second time; and a record of a product is read back as it was.
pub fn product(bytes: &[u8]) {
    if let Ok(Record::Product(record)) = Record::from_slice(bytes) {
        read_back(record);
    }
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return };
    match Product::from_json(value.clone()) {
        Ok(product) => {
            let json = product.to_json();
            assert!(json.to_string().len() <= MAX_PRODUCT_BYTES);
            assert_eq!(Product::from_json(json.clone()).as_ref(), Ok(&product));
            read_back(ProductRecord {
                schema_version: 1,
                product_id: product.product_id.clone(),
                product: Some(json),
                received_at_ms: 1,
            });
        }
        Err(invalid) => named(&invalid),
    }
    let Ok(id) = ProductId::new("p") else { return };
    let patched = ProductPatch::from_json(value).and_then(|patch| {
        let once = patch.apply(&Product::new(id))?;
        assert_eq!(patch.apply(&once).as_ref(), Ok(&once));
        Ok(once)
    });
    if let Err(invalid) = patched {
        named(&invalid);
    }
}

fn named(invalid: &Invalid) {
    assert!(invalid.field.chars().count() <= 256, "{invalid}");
}

fn read_back(record: ProductRecord) {
    let record = Record::Product(record);
    let read = Record::from_slice(&record.to_vec());
    assert!(read.as_ref().is_ok_and(|read| *read == record), "{record:?} became {read:?}");
}
