//! Product feeds as shops have them.

use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use cartwheel_import::{Feed, FeedMapping, read_feed, read_feed_as};
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};

use crate::shop::Shop;

fn feed(name: &str, content: &str) -> Feed {
    let shop = Shop::new();
    read_feed(&[shop.file(name, content)]).unwrap()
}

fn products(feed: &Feed) -> Vec<Value> {
    assert_eq!(feed.problems, Vec::<String>::new());
    feed.products.iter().map(cartwheel_catalogue::Product::to_json).collect()
}

/// A product of Google Merchant Center.
fn tea() -> Value {
    json!({"product_id": "tea-1", "name": "Green tea & more", "description": "Fresh leaves.",
        "categories": ["Food", "Tea"], "brand": "Leaf", "price": "3.50", "list_price": "4.20",
        "currency": "EUR", "url": "https://shop.example/tea", "in_stock": true,
        "image_url": "https://shop.example/tea.jpg"})
}

#[test]
fn google_merchant_feeds_in_rss_atom_and_tsv_are_the_same() {
    let fields = "<g:id>tea-1</g:id><title>Green tea &amp; more</title>\
        <description><![CDATA[<p>Fresh leaves.</p>]]></description>\
        <g:image_link>https://shop.example/tea.jpg</g:image_link><g:price>4.20 EUR</g:price>\
        <g:sale_price>3.50 EUR</g:sale_price><g:availability>in_stock</g:availability>\
        <g:brand>Leaf</g:brand><g:product_type>Food &gt; Tea</g:product_type><g:gtin>1</g:gtin>";
    let rss = format!(
        "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:g=\"http://base.google.com/ns/1.0\">\
         <channel><title>Shop</title><item>{fields}<link>https://shop.example/tea</link></item>\
         </channel></rss>"
    );
    let atom = format!(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\" xmlns:g=\"http://base.google.com/ns/1.0\">\
         <title>Shop</title><entry>{fields}<link href=\"https://shop.example/tea\"/></entry></feed>"
    );
    let tsv = "id\ttitle\tdescription\timage link\tprice\tsale price\tavailability\tbrand\tproduct type\tlink\tgtin\n\
        tea-1\tGreen tea & more\tFresh leaves.\thttps://shop.example/tea.jpg\t4.20 EUR\t3.50 EUR\tin stock\tLeaf\tFood > Tea\thttps://shop.example/tea\t1\n";
    for (name, text) in [("feed.xml", rss.as_str()), ("atom.xml", &atom), ("feed.tsv", tsv)] {
        let feed = feed(name, text);
        assert_eq!(products(&feed), [tea()], "{name}");
        assert_eq!(feed.ignored_columns, ["gtin"], "{name}");
    }
    let shop = Shop::new();
    let cut = shop.file("cut.xml", &rss[..rss.len() - 30]);
    assert!(read_feed(&[cut]).unwrap_err().to_string().contains("ends too early"));
}

#[test]
fn shopify_names_a_product_once_and_each_variant_in_a_row() {
    let csv = "\
Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Variant SKU,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Variant Compare At Price,Image Src,Status
mug,Mug,<p>Holds <b>tea</b></p>,Clay,Kitchen,\"red, gift\",true,mug-s,3,deny,8.00,9.50,https://cdn.example/1.jpg,active
mug,,,,,,,mug-l,0,deny,9.00,,https://cdn.example/2.jpg,
mug,,,,,,,,,,,,https://cdn.example/3.jpg,
lid,Lid,,Clay,Kitchen,,false,lid,5,continue,2.00,,,draft
";
    let found = products(&feed("products_export.csv", csv));
    assert_eq!(found.len(), 3);
    assert_eq!((&found[0]["product_id"], &found[0]["hidden"]), (&json!("lid"), &json!(true)));
    assert_eq!(found[0].get("stock"), None, "it sells without stock");
    assert_eq!(
        (&found[1]["product_id"], &found[1]["name"], &found[1]["stock"], &found[1]["price"]),
        (&json!("mug-l"), &json!("Mug"), &json!(0), &json!("9.00"))
    );
    assert_eq!(
        (&found[2]["description"], &found[2]["list_price"], &found[2]["tags"]),
        (&json!("Holds tea"), &json!("9.50"), &json!(["red", "gift"]))
    );
}

#[test]
fn woocommerce_and_the_catalogues_own_form_are_read() {
    let csv = "\
ID,Type,SKU,Name,Published,\"In stock?\",Stock,\"Sale price\",\"Regular price\",Categories,Images
12,simple,,Tea,1,1,7,,4.20,\"Food > Tea, Gifts\",\"https://x.example/a.jpg, https://x.example/b.jpg\"
13,simple,cup,Cup,0,0,,5.00,6.00,Kitchen,
";
    let found = products(&feed("wc.csv", csv));
    assert_eq!((&found[0]["product_id"], &found[1]["product_id"]), (&json!("12"), &json!("cup")));
    assert_eq!(found[0]["categories"], json!(["Food", "Tea"]));
    assert_eq!(found[0]["image_url"], "https://x.example/a.jpg");
    assert_eq!((&found[1]["price"], &found[1]["in_stock"]), (&json!("5.00"), &json!(false)));

    let lines = format!("{}\n{{\"product_id\": \"x\", \"price\": \"-1\"}}\nno\n", tea());
    let feed = feed("own.ndjson", &lines);
    assert_eq!((feed.products.len(), feed.rejected), (1, 2));
    assert!(feed.problems[0].starts_with("price ") && feed.problems[0].ends_with("line 2"));
}

#[test]
fn columns_of_any_table_can_be_mapped() {
    let csv = "nr,bez,farbe,vk,ean\n7,Cup,blue,8.00,400\n";
    let json = "{\"nr\":7,\"bez\":\"Cup\",\"farbe\":\"blue\",\"vk\":8.0,\"ean\":\"400\"}\n";
    let mut mapping = FeedMapping::default();
    for text in ["product_id=nr", "name=bez", "price=vk", "attributes.colour=farbe"] {
        mapping.assign(text).unwrap();
    }
    let shop = Shop::new();
    let parquet = shop.file("products.parquet", parquet());
    for source in [shop.file("a.csv", csv), shop.file("a.ndjson", json), parquet] {
        let feed = read_feed_as(&[source], &mapping).unwrap();
        let found = products(&feed);
        assert_eq!((&found[0]["product_id"], &found[0]["name"]), (&json!("7"), &json!("Cup")));
        assert_eq!(found[0]["attributes"], json!({"colour": "blue"}));
        assert_eq!(feed.ignored_columns, ["ean"]);
        let price: f64 = found[0]["price"].as_str().unwrap().parse().unwrap();
        assert_eq!(price, 8.0);
    }
    let unmapped = read_feed(&[shop.file("a.csv", csv)]).unwrap_err().to_string();
    assert!(unmapped.contains("the column of product_id"), "{unmapped}");
    let unknown = mapping.assign("colour=farbe").unwrap_err().to_string();
    assert!(
        unknown.contains("product_id, name") && unknown.contains("attributes.NAME"),
        "{unknown}"
    );
}

/// The table as Parquet, with a price that is a number.
fn parquet() -> Vec<u8> {
    let text = |text: &str| Arc::new(StringArray::from(vec![text])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("nr", text("7")),
        ("bez", text("Cup")),
        ("farbe", text("blue")),
        ("vk", Arc::new(Float64Array::from(vec![8.0])) as ArrayRef),
        ("ean", text("400")),
    ])
    .unwrap();
    let mut out = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut out, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    out
}
