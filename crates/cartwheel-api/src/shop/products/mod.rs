//! Routes through which the shop keeps its catalogue.

mod batch;
mod change;
mod etag;
pub(crate) mod full_feed;
mod manage;
pub(crate) mod shopify;
mod write;

use utoipa_axum::routes;

use crate::access::scope::Scope;
use crate::routes::Routes;

/// The routes that read and change the shop's own catalogue.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .scoped(Scope::CatalogueWrite, routes!(batch::post_products))
        .scoped(Scope::CatalogueWrite, routes!(write::put_product))
        .scoped(Scope::CatalogueWrite, routes!(write::patch_product))
        .scoped(Scope::CatalogueWrite, routes!(write::delete_product))
        .scoped(Scope::CatalogueWrite, routes!(manage::catalogue_products))
        .scoped(Scope::CatalogueWrite, routes!(manage::catalogue_product))
        .scoped(Scope::CatalogueWrite, routes!(manage::unknown_products))
}
