//! The routes for what followed from recommendations and searches, on a server without a lake.

use super::harness::Shop;

#[tokio::test]
async fn a_mistake_is_explained_before_a_lake_is_asked() {
    let shop = Shop::open().await;
    for (path, field) in [
        ("/v1/quality?days=91", "days"),
        ("/v1/quality/products?days=0", "days"),
        ("/v1/quality/products?sort=best", "sort"),
        ("/v1/quality/products?limit=101", "limit"),
        ("/v1/quality/products?placement=home", "placement"),
        ("/v1/quality/products/p1?sort=shown", "sort"),
        ("/v1/search/queries?days=31", "days"),
        ("/v1/search/queries?q=tea", "q"),
        ("/v1/synonyms?limit=3", "limit"),
    ] {
        let problem = shop.get(path).await.problem(400, "invalid-field");
        assert_eq!(problem["field"], field, "{path}");
    }
    for path in ["/v1/quality/products", "/v1/quality/products/p1", "/v1/search/queries"] {
        shop.get(path).await.problem(404, "not-found");
    }
}
