//! What a release says about its products and users, beside recommendations.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{UserProduct, UserState};

use crate::answer::Recommendation;
use crate::question::{Filters, ProductSearch};
use crate::ranking::Filter;
use crate::release::Opened;
use crate::views::{
    AisleView, BoughtProduct, DepartmentView, ProductLabel, ProductView, Products, UserRecord,
    UserView,
};

/// Products that a user's summary names.
const FAVOURITES: usize = 3;
/// Products that a user's record lists.
const BOUGHT: usize = 100;

impl Opened {
    pub(crate) fn similar(&self, product_id: &str, limit: usize) -> Option<Vec<Recommendation>> {
        let product = self.catalogue.get(self.catalogue.find(product_id)?)?;
        let reason = format!("Bought together with {}", product.info.name);
        let neighbours = product.neighbours.iter().take(limit);
        let item = neighbours
            .filter_map(|n| self.recommendation(n.product, n.score, vec![reason.clone()]));
        Some(item.collect())
    }

    pub(crate) fn popular(&self, limit: usize, filters: &Filters) -> Vec<Recommendation> {
        let filter = Filter::new(self, filters);
        let allowed = self.catalogue.popular.iter().copied();
        let allowed = allowed.filter(|&product| filter.allows(&self.catalogue, product));
        let item = |product: u32| {
            let orders = self.catalogue.get(product).map_or(0, |p| p.stats.orders);
            let share = orders as f32 / self.catalogue.orders.max(1) as f32;
            let reason = format!("In {:.1} % of all orders", share * 100.0);
            self.recommendation(product, share, vec![reason])
        };
        allowed.take(limit).filter_map(item).collect()
    }

    pub(crate) fn products(&self, search: &ProductSearch, offset: usize, limit: usize) -> Products {
        let text = search.text.as_deref().unwrap_or("").to_lowercase();
        let words: Vec<&str> = text.split_whitespace().collect();
        let is = |wanted: &Option<String>, name: &String| wanted.as_ref().is_none_or(|w| w == name);
        let matches = |product: &u32| {
            let info = &self.catalogue.products[*product as usize].info;
            if !is(&search.department, &info.department) || !is(&search.aisle, &info.aisle) {
                return false;
            }
            let name = info.name.to_lowercase();
            words.iter().all(|word| name.contains(word) || info.product_id == *word)
        };
        let found: Vec<u32> = self.catalogue.popular.iter().copied().filter(matches).collect();
        let page = found.iter().skip(offset).take(limit);
        Products {
            products: page.filter_map(|&product| self.product(product)).collect(),
            total: found.len(),
        }
    }

    pub(crate) fn product(&self, product: u32) -> Option<ProductView> {
        let product = self.catalogue.get(product)?;
        Some(ProductView {
            product_id: ProductId::new(&product.info.product_id).ok()?,
            product_name: product.info.name.clone(),
            aisle: product.info.aisle.clone(),
            department: product.info.department.clone(),
            orders: u64::from(product.stats.orders),
            in_stock: true,
        })
    }

    pub(crate) fn departments(&self) -> Vec<DepartmentView> {
        let mut shop = Shelf::default();
        for product in &self.catalogue.products {
            let department = shop.parts.entry(&product.info.department).or_default();
            let aisle = department.parts.entry(&product.info.aisle).or_default();
            aisle.orders += u64::from(product.stats.orders);
            aisle.products += 1;
        }
        let aisle = |(name, shelf): (&str, Shelf<'_>)| AisleView {
            aisle: name.to_owned(),
            products: shelf.products,
        };
        let department = |(name, shelf): (&str, Shelf<'_>)| {
            let aisles: Vec<AisleView> = shelf.best_selling().into_iter().map(aisle).collect();
            let products = aisles.iter().map(|aisle| aisle.products).sum();
            DepartmentView { department: name.to_owned(), products, aisles }
        };
        shop.best_selling().into_iter().map(department).collect()
    }

    pub(crate) fn user_view(&self, user_id: &str, state: &UserState) -> Option<UserView> {
        let mut bought: Vec<_> = state.products.iter().collect();
        bought.sort_by_key(|p| (Reverse(p.orders), p.product));
        let name = |product: u32| self.catalogue.get(product).map(|p| p.info.name.clone());
        Some(UserView {
            user_id: UserId::new(user_id).ok()?,
            orders: state.orders,
            products: u32::try_from(state.products.len()).unwrap_or(u32::MAX),
            favourites: bought.iter().take(FAVOURITES).filter_map(|p| name(p.product)).collect(),
            mean_days: (state.applied > 1).then(|| state.days / (state.applied - 1) as f32),
        })
    }

    pub(crate) fn user_record(&self, state: &UserState) -> UserRecord {
        let mut bought: Vec<_> = state.products.iter().collect();
        bought.sort_by_key(|p| (Reverse((p.orders, p.last)), p.product));
        let view = |p: &&UserProduct| {
            Some(BoughtProduct {
                product: self.label(p.product)?,
                orders: p.orders,
                last_order_number: p.last,
                mean_position: p.mean_position(),
            })
        };
        UserRecord {
            orders: state.orders,
            products: state.products.len(),
            lines: state.lines,
            mean_days_since_prior: state.mean_days_since_prior(),
            reorder_ratio: state.reorder_ratio(),
            last_order_ms: state.last_order_ms,
            bought: bought.iter().take(BOUGHT).filter_map(view).collect(),
        }
    }

    fn label(&self, product: u32) -> Option<ProductLabel> {
        let info = &self.catalogue.get(product)?.info;
        Some(ProductLabel {
            product_id: info.product_id.clone(),
            product_name: info.name.clone(),
            aisle: info.aisle.clone(),
            department: info.department.clone(),
        })
    }
}

/// A level of the shop's hierarchy: the shop, a department, or an aisle.
#[derive(Default)]
struct Shelf<'a> {
    /// Orders of the products on this level itself.
    orders: u64,
    products: usize,
    parts: BTreeMap<&'a str, Shelf<'a>>,
}

impl<'a> Shelf<'a> {
    /// The parts by orders, falling.
    fn best_selling(self) -> Vec<(&'a str, Self)> {
        let mut parts: Vec<_> = self.parts.into_iter().collect();
        parts.sort_by_key(|(_, part)| Reverse(part.all_orders()));
        parts
    }

    fn all_orders(&self) -> u64 {
        self.orders + self.parts.values().map(Self::all_orders).sum::<u64>()
    }
}
