//! The columns of known feeds.

/// Names of columns, without case and punctuation, for each field. The first column with a text
/// counts. They are those of Google Merchant Center, Shopify, WooCommerce and usual tables.
pub(super) const COLUMNS: [(&str, &[&str]); 22] = [
    (
        "product_id",
        &[
            "productid",
            "variantsku",
            "sku",
            "itemid",
            "id",
            "productcode",
            "stockcode",
            "articlenumber",
            "artikelnummer",
            "handle",
        ],
    ),
    ("name", &["name", "title", "productname", "itemname", "bezeichnung"]),
    ("description", &["description", "bodyhtml", "body", "shortdescription"]),
    (
        "categories",
        &[
            "categories",
            "producttype",
            "productcategory",
            "googleproductcategory",
            "category",
            "categorypath",
            "type",
            "department",
        ],
    ),
    ("brand", &["brand", "vendor", "brands", "manufacturer"]),
    ("sale_price", &["saleprice"]),
    ("price", &["price", "variantprice", "regularprice", "unitprice", "preis"]),
    ("list_price", &["listprice", "variantcompareatprice", "compareatprice"]),
    ("cost", &["cost", "costperitem", "costofgoodssold"]),
    ("currency", &["currency"]),
    ("url", &["url", "link", "permalink", "producturl"]),
    ("image_url", &["imageurl", "imagelink", "imagesrc", "image", "images"]),
    ("in_stock", &["instock", "availability"]),
    ("stock", &["stock", "variantinventoryqty", "quantity", "inventory", "stockquantity"]),
    ("hidden", &["hidden"]),
    ("published", &["published", "visible"]),
    ("status", &["status"]),
    ("available_from", &["availablefrom", "availabilitydate"]),
    ("available_until", &["availableuntil", "expirationdate"]),
    ("created_at", &["createdat", "created"]),
    ("tags", &["tags"]),
    ("policy", &["variantinventorypolicy"]),
];

/// The beginning of the fields that are a product's attributes, as in `attributes.colour`.
pub(super) const ATTRIBUTES: &str = "attributes.";

/// The fields of a feed, without attributes.
pub(super) fn fields() -> impl Iterator<Item = &'static str> {
    COLUMNS.into_iter().map(|(field, _)| field)
}
