//! The products that are most alike by what the shop says about them, or by their visits.
//!
//! A product is compared with all of its aisle, brand and department, up to thousands. So the lists
//! of the products that were asked for last are kept with the index of the catalogue, until the texts
//! of any product change.

use cartwheel_features::{Content, Rarity, Terms};
use cartwheel_filter::{Context, Expression, Shopper, Source};
use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use crate::alike::Alike;
use crate::shop::{Label, Shop};
use crate::similar::Found;

/// Most products that are compared with one, the best sellers first.
const MAX_COMPARED: usize = 2_000;
/// Most products of a list that is kept.
const MAX_KEPT: usize = 200;

impl Shop {
    /// The first `limit` of the products of the same aisle, brand or department that are most alike
    /// and that are accepted.
    pub(crate) fn alike(
        &self,
        index: u32,
        label: &Label<'_>,
        limit: usize,
        accepts: &dyn Fn(u32) -> bool,
    ) -> Vec<Found> {
        let make = || {
            let mut products = self.compared(index, label, |_| true);
            let is_whole = products.len() <= MAX_KEPT;
            products.truncate(MAX_KEPT);
            Alike { products, is_whole }
        };
        let alike = self.filter_index.alike(self.edition(), index, make, self.indexing());
        let accepted = |products: &[(u32, f32)]| -> Vec<(u32, f32)> {
            products.iter().copied().filter(|(other, _)| accepts(*other)).take(limit).collect()
        };
        let mut found = accepted(&alike.products);
        if found.len() < limit && !alike.is_whole {
            let all = self.compared(index, label, |_| true);
            found = accepted(&all);
            if found.len() < limit && all.len() == MAX_COMPARED {
                // Among those that were not compared, others may be accepted.
                found = accepted(&self.compared(index, label, accepts));
            }
        }
        let reasoned = found.into_iter().filter_map(|(other, likeness)| {
            let reason = self.relation(index, label, other)?;
            Some((other, likeness, reason))
        });
        reasoned.collect()
    }

    /// Compares a product with the related ones that are accepted: each with its likeness from 0 to
    /// 1, the most alike first. The better seller comes first among equals.
    fn compared(
        &self,
        index: u32,
        label: &Label<'_>,
        accepts: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f32)> {
        let related = self.of_the_same_kind(index, label).into_iter();
        let related = related.filter(|&other| other != index && accepts(other));
        let terms = related.filter_map(|other| {
            let others = self.label(other)?;
            self.relation(index, label, other)?;
            Some((other, self.terms(other, &others)))
        });
        let terms: Vec<(u32, Terms)> = terms.take(MAX_COMPARED).collect();
        let own = self.terms(index, label);
        let rarity = Rarity::among(terms.iter().map(|(_, terms)| terms));
        let visits = self.seen_with(index).iter().map(|n| (n.product, n.score));
        let visits: FxHashMap<u32, f32> = visits.collect();
        let compared = terms.iter().map(|(other, terms)| {
            let apart = 1.0 - visits.get(other).copied().unwrap_or_default().min(1.0);
            (*other, 1.0 - (1.0 - rarity.likeness(&own, terms)) * apart)
        });
        let mut products: Vec<(u32, f32)> = compared.collect();
        // Stable.
        products.sort_by(|a, b| b.1.total_cmp(&a.1));
        products
    }

    /// The products that may share the aisle, the brand or the department of a product, the best
    /// sellers first.
    fn of_the_same_kind(&self, index: u32, label: &Label<'_>) -> Vec<u32> {
        let brand = self.live(index).and_then(|product| product.brand.as_deref());
        let (mut terms, mut values) = (Vec::new(), Map::new());
        let named = [("aisle", label.aisle), ("department", label.department)];
        for (name, value) in named.into_iter().chain(brand.map(|brand| ("brand", brand))) {
            if !value.is_empty() {
                terms.push(format!("{name} = context.{name}"));
                values.insert(name.to_owned(), Value::from(value));
            }
        }
        let all = || self.indices().collect();
        let Ok(context) = Context::from_json(values) else { return all() };
        let parsed = Expression::parse(&terms.join(" or "), context, Source::Everybody);
        let Ok(expression) = parsed else { return all() };
        let selected = self.selected(&expression.bind(&Shopper::default()));
        let Some(selected) = selected else { return all() };
        let is_left = |product: &u32| !self.overlay.is_deleted(*product);
        let mut found: Vec<(u32, u32)> =
            selected.possible().filter(is_left).map(|p| (self.place(p), p)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, product)| product).collect()
    }

    /// What a product has in common with another one; `None` if it is nothing.
    fn relation(&self, index: u32, label: &Label<'_>, other: u32) -> Option<String> {
        let brand_of = |product| self.live(product).and_then(|product| product.brand.as_deref());
        let others = self.label(other)?;
        let same = |a: &str, b: &str| !a.is_empty() && a == b;
        let brand = brand_of(index);
        if same(label.aisle, others.aisle) {
            Some(format!("Also in {}", label.aisle))
        } else if let Some(brand) = brand.filter(|_| brand_of(other) == brand) {
            Some(format!("Also from {brand}"))
        } else if same(label.department, others.department) {
            Some(format!("Also in {}", label.department))
        } else {
            None
        }
    }

    /// What likeness to other products is computed from.
    fn terms(&self, index: u32, label: &Label<'_>) -> Terms {
        let live = self.live(index);
        let path: Vec<&str> = match live.map_or(&[][..], |product| &product.categories) {
            [] => vec![label.department, label.aisle],
            path => path.iter().map(String::as_str).collect(),
        };
        Terms::of(&Content {
            categories: &path,
            brand: live.and_then(|product| product.brand.as_deref()),
            tags: live.map_or(&[][..], |product| &product.tags),
            name: label.name,
        })
    }
}
