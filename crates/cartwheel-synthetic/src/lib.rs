//! A seeded generator of a synthetic grocery shop.
//!
//! Product popularity follows a Zipf-like distribution. Each shopper has tastes over aisles,
//! staples with their own purchase cycles, and preferred days and hours. Shoppers try new
//! products and keep buying some of them. Some products are bought together.
//!
//! The shop has two forms with the same orders. [`generate`] writes them in the Instacart schema,
//! without dates. [`generate_events`] lays them out in time and adds what a shop with a web site
//! knows beside them: views, searches, carts, guests who log in, returns, prices, stock that runs
//! out, and new products.

mod assortment;
mod catalogue;
mod feed;
mod generate;
mod history;
mod instacart;
mod output;
mod rows;
mod shares;
mod shopper;
mod spec;
mod visit;
mod words;

pub use generate::{generate, generate_events};
pub use spec::{GenerateError, ShopSpec, Summary};

#[cfg(test)]
mod tests;
