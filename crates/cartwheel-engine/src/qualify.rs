//! Which products of a shop qualify for a request.

use cartwheel_events::ProductId;
use cartwheel_features::UserState;
use cartwheel_filter::{Condition, Expression, Index, Item, Shopper};
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
}

impl Shop {
    /// The filters of a list that is the same for everybody.
    pub(crate) fn filter<'a>(&'a self, filters: &'a Filters) -> Filter<'a> {
        self.filter_with(filters, filters.expression.as_ref(), &Shopper::default())
    }

    /// The filters of a shopper's query.
    pub(crate) fn filter_for<'a>(&'a self, query: &'a Query<'_>, state: &UserState) -> Filter<'a> {
        let expression = query.filters.expression.as_ref();
        self.filters_for(query, state, &[expression]).swap_remove(0)
    }

    /// The filters of a shopper's query, each with an expression of its own.
    pub(crate) fn filters_for<'a>(
        &'a self,
        query: &'a Query<'_>,
        state: &UserState,
        expressions: &[Option<&Expression>],
    ) -> Vec<Filter<'a>> {
        let cart = match expressions.iter().any(Option::is_some) {
            true => query.cart_pieces(),
            false => Vec::new(),
        };
        let line = |(id, pieces): (&'a ProductId, u32)| {
            let known = self.find(id).and_then(|index| self.item(index));
            (known.unwrap_or(Item::unknown(id.as_str())), pieces)
        };
        let shopper = Shopper {
            is_guest: query.user_id.is_guest(),
            orders: state.orders,
            cart: cart.into_iter().map(line).collect(),
        };
        let filter = |expression: &Option<&Expression>| {
            self.filter_with(&query.filters, *expression, &shopper)
        };
        expressions.iter().map(filter).collect()
    }

    fn filter_with<'a>(
        &'a self,
        filters: &'a Filters,
        expression: Option<&Expression>,
        shopper: &Shopper<'_>,
    ) -> Filter<'a> {
        let excluded = filters.exclude_products.iter().filter_map(|id| self.find(id)).collect();
        let condition = expression.map(|expression| {
            let condition = expression.bind(shopper);
            let (shop, edition) = (self.clone(), self.edition());
            let build = move || shop.index();
            let selected = self.filter_index.select(edition, &condition, self.now_ms, build);
            (condition, selected)
        });
        Filter { shop: self, filters, excluded, condition }
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

    /// Whether a product passes the filters.
    pub(crate) fn passes(&self, index: u32) -> bool {
        let Filters { departments, aisles, in_stock_only, .. } = self.filters;
        if self.excluded.contains(&index) || !self.fulfils(index) {
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
        let Some((condition, selected)) = &self.condition else { return true };
        let known = selected.as_ref().and_then(|selected| selected.contains(index));
        known.unwrap_or_else(|| {
            let item = self.shop.item(index);
            item.is_some_and(|item| condition.matches(&item, self.shop.now_ms))
        })
    }
}
