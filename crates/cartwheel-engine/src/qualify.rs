//! Which products of a shop qualify for a request.

use std::sync::Arc;

use cartwheel_events::ProductId;
use cartwheel_features::UserState;
use cartwheel_filter::{Condition, Expression, Index, Item, Shopper};
use cartwheel_rules::Ruling;
use rustc_hash::FxHashSet;

use crate::filter_index::{Edition, Selected};
use crate::question::{Filters, Query};
use crate::shop::{Shop, stated_stock};

/// A query's filters over a shop.
pub(crate) struct Filter<'a> {
    shop: &'a Shop,
    filters: &'a Filters,
    excluded: FxHashSet<u32>,
    condition: Option<(Condition, Option<Selected>)>,
    /// The rules that may block products.
    ruling: Option<Arc<Ruling<'a>>>,
}

impl Shop {
    /// The filters of a list that is the same for everybody.
    pub(crate) fn filter<'a>(&'a self, filters: &'a Filters) -> Filter<'a> {
        self.filter_with(filters, filters.expression.as_ref(), None, &Shopper::default())
    }

    /// The filters of a shopper's query.
    pub(crate) fn filter_for<'a>(
        &'a self,
        query: &'a Query<'_>,
        shopper: &Shopper<'_>,
        ruling: Option<Arc<Ruling<'a>>>,
    ) -> Filter<'a> {
        let expression = query.filters.expression.as_ref();
        self.filter_with(&query.filters, expression, ruling, shopper)
    }

    /// The shopper of a query, as expressions see a shopper.
    pub(crate) fn asking<'a>(&'a self, query: &'a Query<'_>, state: &UserState) -> Shopper<'a> {
        let line = |(id, pieces): (&'a ProductId, u32)| {
            let known = self.find(id).and_then(|index| self.item(index));
            (known.unwrap_or(Item::unknown(id.as_str())), pieces)
        };
        Shopper {
            is_guest: query.user_id.is_guest(),
            orders: state.orders,
            cart: query.cart_pieces().into_iter().map(line).collect(),
        }
    }

    /// As the query's filters, with another expression.
    pub(crate) fn filter_with<'a>(
        &'a self,
        filters: &'a Filters,
        expression: Option<&Expression>,
        ruling: Option<Arc<Ruling<'a>>>,
        shopper: &Shopper<'_>,
    ) -> Filter<'a> {
        let excluded = filters.exclude_products.iter().filter_map(|id| self.find(id)).collect();
        let condition = expression.map(|expression| {
            let condition = expression.bind(shopper);
            let selected = self.selected(&condition);
            (condition, selected)
        });
        Filter { shop: self, filters, excluded, condition, ruling }
    }

    /// The products that fulfil a condition, as far as an index knows them.
    pub(crate) fn selected(&self, condition: &Condition) -> Option<Selected> {
        self.filter_index.select(self.edition(), condition, self.now_ms, self.indexing())
    }

    /// Builds the index of this shop, later and perhaps in another thread.
    pub(crate) fn indexing(&self) -> impl FnOnce() -> Index + Send + use<> {
        let shop = self.clone();
        move || shop.index()
    }

    /// Whether a product fulfils a condition, of which an index may have told the products.
    pub(crate) fn fulfils(
        &self,
        condition: &Condition,
        selected: Option<&Selected>,
        index: u32,
    ) -> bool {
        let known = selected.and_then(|selected| selected.contains(index));
        known.unwrap_or_else(|| {
            self.item(index).is_some_and(|item| condition.matches(&item, self.now_ms))
        })
    }

    pub(crate) fn edition(&self) -> Edition {
        Edition { opened: self.opened.clone(), overlay: self.overlay.clone() }
    }

    /// The index of all products that are not deleted.
    pub(crate) fn index(&self) -> Index {
        let item = |product| self.item(product).filter(|_| !self.overlay.is_deleted(product));
        Index::new((0..self.overlay.len()).map(item))
    }

    /// A product as filter expressions see it.
    pub(crate) fn item(&self, index: u32) -> Option<Item<'_>> {
        let label = self.label(index)?;
        Some(Item {
            product_id: label.product_id,
            department: label.department,
            aisle: label.aisle,
            product: self.live(index).map(|product| &**product),
            added_at_ms: self.overlay.added_at_ms(index),
        })
    }
}

impl Filter<'_> {
    /// Whether a product may be shown now and passes the filters.
    pub(crate) fn qualifies(&self, index: u32) -> bool {
        self.shop.shows(index) && self.passes(index)
    }

    /// Whether a product passes the filters and is not blocked by a rule.
    pub(crate) fn passes(&self, index: u32) -> bool {
        let Filters { departments, aisles, in_stock_only, .. } = self.filters;
        if self.excluded.contains(&index) || !self.fulfils(index) {
            return false;
        }
        if self.ruling.as_ref().is_some_and(|ruling| !ruling.admits(index)) {
            return false;
        }
        if *in_stock_only && stated_stock(self.shop.live(index)) != Some(true) {
            return false;
        }
        if departments.is_empty() && aisles.is_empty() {
            return true;
        }
        let listed =
            |names: &[String], name: &str| names.is_empty() || names.iter().any(|n| n == name);
        self.shop.label(index).is_some_and(|label| {
            listed(departments, label.department) && listed(aisles, label.aisle)
        })
    }

    /// Whether a product fulfils the expression, if there is one.
    fn fulfils(&self, index: u32) -> bool {
        self.condition.as_ref().is_none_or(|(condition, selected)| {
            self.shop.fulfils(condition, selected.as_ref(), index)
        })
    }
}
