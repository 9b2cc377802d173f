//! What a shop says about its products and users, beside recommendations.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cartwheel_catalogue::Product;
use cartwheel_events::{ProductId, UserId};
use cartwheel_features::{UserProduct, UserState};
use rustc_hash::FxHashSet;

use crate::answer::Recommendation;
use crate::question::{Filters, PageStart, ProductSearch, Visibility};
use crate::shop::Shop;
use crate::trends::Trend;
use crate::views::{
    AisleView, BoughtProduct, DepartmentView, ProductLabel, Products, UnnamedProduct, UserRecord,
    UserView,
};

/// The reason for a product that shoppers turn to now.
pub(crate) const TRENDING: &str = "Many shoppers turn to it now";
/// Products that a user's summary names.
const FAVOURITES: usize = 3;
/// Products that a user's record lists.
const BOUGHT: usize = 100;

impl Shop {
    /// The best-selling products, then the newest.
    pub(crate) fn popular(&self, limit: usize, filters: &Filters) -> Vec<Recommendation> {
        let filter = self.filter(filters);
        let found = self.best_selling(limit, |product| filter.qualifies(product));
        let item = |(product, share, reason)| self.recommendation(product, share, vec![reason]);
        found.into_iter().filter_map(item).collect()
    }

    /// The first `limit` of these products that qualify, each with its share of all orders and the
    /// reason.
    pub(crate) fn best_selling(
        &self,
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f32, String)> {
        let catalogue = &self.opened.catalogue;
        let mut seen = FxHashSet::default();
        let sold = catalogue.popular.iter().copied();
        let sold = sold.filter(|&p| catalogue.get(p).is_some_and(|p| p.stats.orders > 0));
        let newest = self.overlay.newest().iter().copied();
        let all = sold.chain(newest).chain(self.indices());
        let item = |product: u32| {
            let orders = catalogue.get(product).map_or(0, |p| p.stats.orders);
            let share = orders as f32 / catalogue.orders.max(1) as f32;
            let reason = match orders {
                0 => "New in the shop".to_owned(),
                _ => format!("In {:.1} % of all orders", share * 100.0),
            };
            (product, share, reason)
        };
        let allowed = all.filter(|&product| qualifies(product) && seen.insert(product));
        allowed.take(limit).map(item).collect()
    }

    /// The products that shoppers turn to more than usual, then the best-selling ones.
    pub(crate) fn trending(
        &self,
        trend: Trend,
        limit: usize,
        filters: &Filters,
    ) -> Vec<Recommendation> {
        let filter = self.filter(filters);
        let found = self.trending_now(trend, limit, |product| filter.qualifies(product));
        let item = |(product, share, reason)| self.recommendation(product, share, vec![reason]);
        let mut items: Vec<Recommendation> = found.into_iter().filter_map(item).collect();
        let taken: FxHashSet<ProductId> =
            items.iter().map(|item| item.product_id.clone()).collect();
        let others = self.popular(limit, filters).into_iter();
        let others = others.filter(|item| !taken.contains(&item.product_id));
        items.extend(others.take(limit - taken.len()));
        items
    }

    /// The first `limit` of the products that trend and qualify, each with its share of their scores
    /// and the reason.
    pub(crate) fn trending_now(
        &self,
        trend: Trend,
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f32, String)> {
        let keep = |id: &ProductId| self.find(id).is_some_and(&qualifies);
        let found = self.attention.top(trend, self.now_ms, limit, keep);
        let all: f64 = found.iter().map(|(_, score)| score).sum();
        let item = |(id, score): &(ProductId, f64)| {
            Some((self.find(id)?, (score / all) as f32, TRENDING.to_owned()))
        };
        found.iter().filter_map(item).collect()
    }

    /// The products that shoppers turn to now and that `qualifies` accepts, with their
    /// decayed counts, largest first.
    pub(crate) fn turned_to(
        &self,
        limit: usize,
        qualifies: impl Fn(u32) -> bool,
    ) -> Vec<(u32, f64)> {
        let keep = |id: &ProductId| self.find(id).is_some_and(&qualifies);
        let top = self.attention.busiest(self.now_ms, limit, keep);
        top.iter().filter_map(|(id, count)| Some((self.find(id)?, *count))).collect()
    }

    /// A page of the products that match; `fitting` are those that have the words of the search, if it
    /// has any. `None` if the page begins after a product that does not exist.
    pub(crate) fn products(
        &self,
        search: &ProductSearch<'_>,
        fitting: Option<FxHashSet<u32>>,
        start: &PageStart,
        limit: usize,
    ) -> Option<Products> {
        let matches = Matches { shop: self, search, fitting };
        let found: Vec<u32> = self.indices().filter(|&index| matches.contains(index)).collect();
        let skipped = match start {
            PageStart::Offset(offset) => (*offset).min(found.len()),
            PageStart::After(id) => {
                let place = self.place(self.find(id)?);
                found.partition_point(|&index| self.place(index) <= place)
            }
        };
        let page = &found[skipped..];
        let more = page.len() > limit;
        let page = &page[..page.len().min(limit)];
        let last = page.last().filter(|_| more).and_then(|&index| self.label(index));
        Some(Products {
            products: page.iter().filter_map(|&index| self.product(index)).collect(),
            total: found.len(),
            next_cursor: last.and_then(|label| ProductId::new(label.product_id).ok()),
        })
    }

    /// The departments of the products that may be shown, best selling first.
    pub(crate) fn departments(&self) -> Vec<DepartmentView> {
        let mut shop = Shelf::default();
        for index in self.indices().filter(|&index| self.shows(index)) {
            let Some(label) = self.label(index) else { continue };
            let orders = self.opened.catalogue.get(index).map_or(0, |p| p.stats.orders);
            let department = shop.parts.entry(label.department).or_default();
            let aisle = department.parts.entry(label.aisle).or_default();
            aisle.orders += u64::from(orders);
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

    /// Whether an import or a change has described a product.
    pub(crate) fn describes(&self, product_id: &ProductId) -> bool {
        let is_described =
            |index: &u32| !self.overlay.is_unnamed(*index) && !self.overlay.is_deleted(*index);
        self.find(product_id).filter(is_described).is_some()
    }

    /// A product as the release alone describes it.
    pub(crate) fn released(&self, product_id: &ProductId) -> Option<Product> {
        let index = self.opened.catalogue.find(product_id.as_str())?;
        let info = &self.opened.catalogue.get(index)?.info;
        let mut product = Product::new(product_id.clone());
        if !info.is_unnamed() {
            let known = |text: &&String| !text.is_empty() && *text != "unknown";
            product.name = Some(info.name.clone()).filter(|name| !name.is_empty());
            product.categories =
                [&info.department, &info.aisle].into_iter().filter(known).cloned().collect();
            product.categories.dedup();
        }
        Some(product)
    }

    /// The products that are described, and neither deleted nor hidden.
    pub(crate) fn offered(&self) -> Vec<ProductId> {
        let is_offered = |index: &u32| match self.live(*index) {
            Some(product) => !product.hidden,
            None => !self.overlay.is_unnamed(*index),
        };
        let id = |index: u32| ProductId::new(self.label(index)?.product_id).ok();
        self.indices().filter(is_offered).filter_map(id).collect()
    }

    /// The products of which only orders tell, best selling first.
    pub(crate) fn unnamed(&self) -> Vec<UnnamedProduct> {
        let unnamed = self.indices().filter(|&index| self.overlay.is_unnamed(index));
        let view = |index: u32| {
            Some(UnnamedProduct {
                product_id: ProductId::new(self.label(index)?.product_id).ok()?,
                orders: u64::from(self.opened.catalogue.get(index)?.stats.orders),
            })
        };
        unnamed.filter_map(view).collect()
    }

    pub(crate) fn user_view(&self, user_id: &str, state: &UserState) -> Option<UserView> {
        let mut bought: Vec<_> = state.products.iter().collect();
        bought.sort_by_key(|p| (Reverse(p.orders), p.product));
        let name = |product: u32| self.label(product).map(|label| label.name.to_owned());
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
                product: self.product_label(p.product)?,
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

    fn product_label(&self, product: u32) -> Option<ProductLabel> {
        let label = self.label(product)?;
        Some(ProductLabel {
            product_id: label.product_id.to_owned(),
            product_name: label.name.to_owned(),
            aisle: label.aisle.to_owned(),
            department: label.department.to_owned(),
        })
    }
}

/// A search over a shop.
struct Matches<'a> {
    shop: &'a Shop,
    search: &'a ProductSearch<'a>,
    /// The products that have its words, if there are any.
    fitting: Option<FxHashSet<u32>>,
}

impl Matches<'_> {
    fn contains(&self, index: u32) -> bool {
        let ProductSearch { department, aisle, brand, min_price, max_price, visibility, .. } =
            self.search;
        let visible = match visibility {
            Visibility::Shown => self.shop.shows(index),
            Visibility::Hidden => !self.shop.shows(index),
            Visibility::All => true,
        };
        let Some(label) = self.shop.label(index).filter(|_| visible) else { return false };
        let live = self.shop.live(index);
        let is = |wanted: &Option<String>, name: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| Some(wanted) == name)
        };
        if !is(department, Some(label.department)) || !is(aisle, Some(label.aisle)) {
            return false;
        }
        if !is(brand, live.and_then(|product| product.brand.as_deref())) {
            return false;
        }
        let price = live.and_then(|product| product.price);
        let bounded = |bound: &Option<_>, holds: fn(&_, &_) -> bool| match bound {
            Some(bound) => price.is_some_and(|price| holds(&price, bound)),
            None => true,
        };
        if !bounded(min_price, |price, min| price >= min)
            || !bounded(max_price, |price, max| price <= max)
        {
            return false;
        }
        self.fitting.as_ref().is_none_or(|fitting| fitting.contains(&index))
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
