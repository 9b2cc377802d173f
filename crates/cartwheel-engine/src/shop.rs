//! What one request answers from: a release, the live catalogue over it, and a moment.

use std::sync::Arc;

use cartwheel_catalogue::{Money, Product};
use cartwheel_events::ProductId;
use cartwheel_recommend::{Discovery, Value};

use crate::answer::Recommendation;
use crate::basis::{Attention, Basis};
use crate::filter_index::FilterIndex;
use crate::overlay::Overlay;
use crate::release::Opened;
use crate::views::ProductView;

/// A release with the live catalogue laid over it, at one moment.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) opened: Arc<Opened>,
    /// Whether the challenger ranks.
    pub(crate) challenged: bool,
    pub(crate) overlay: Arc<Overlay>,
    pub(crate) attention: Attention,
    pub(crate) now_ms: i64,
    pub(crate) discovery: Discovery,
    pub(crate) value: Value,
    pub(crate) filter_index: FilterIndex,
}

/// The texts of a product, the shop's newest before those of the release.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub(crate) product_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) aisle: &'a str,
    pub(crate) department: &'a str,
}

impl Shop {
    /// What an answer was made from. `hidden` as for the answer.
    pub(crate) fn basis(&self, hidden: bool) -> Basis {
        Basis { catalogue: self.overlay.mark(), attention: self.attention.noted(), hidden }
    }

    /// Whether a product may be shown now.
    pub(crate) fn shows(&self, index: u32) -> bool {
        self.overlay.shows(index, self.now_ms)
    }

    /// The index of a product, in the release or after it.
    pub(crate) fn find(&self, id: &ProductId) -> Option<u32> {
        self.opened.catalogue.find(id.as_str()).or_else(|| self.overlay.added(id))
    }

    /// The shop's own fields of a product, if the live catalogue has it.
    pub(crate) fn live(&self, index: u32) -> Option<&Arc<Product>> {
        self.overlay.product(index)
    }

    /// What a piece of a product is worth to the shop; `None` if it has not said.
    pub(crate) fn worth(&self, index: u32) -> Option<f64> {
        let live = self.live(index)?;
        let approximate = |money: Option<Money>| money.map(Money::approximate);
        self.value.of(approximate(live.price), approximate(live.cost))
    }

    /// Every product that is not deleted: those of the release by popularity, then new ones.
    pub(crate) fn indices(&self) -> impl Iterator<Item = u32> + '_ {
        let released = self.opened.catalogue.popular.iter().copied();
        let all = released.chain(self.overlay.added_indices());
        all.filter(|&index| !self.overlay.is_deleted(index))
    }

    /// The place of a product in [`Shop::indices`], counting deleted ones.
    pub(crate) fn place(&self, index: u32) -> u32 {
        self.opened.catalogue.get(index).map_or(index, |product| product.rank)
    }

    /// The texts of a product; `None` if there is no such product.
    pub(crate) fn label(&self, index: u32) -> Option<Label<'_>> {
        let info = self.opened.catalogue.get(index).map(|product| &product.info);
        let live = self.live(index);
        let id = info.map(|info| info.product_id.as_str());
        let id = id.or_else(|| live.map(|product| product.product_id.as_str()))?;
        let name = live.and_then(|product| product.name.as_deref());
        let aisle = live.and_then(|product| product.aisle());
        let department = live.and_then(|product| product.department());
        Some(Label {
            product_id: id,
            name: name.or(info.map(|info| info.name.as_str())).unwrap_or(id),
            aisle: aisle.or(info.map(|info| info.aisle.as_str())).unwrap_or_default(),
            department: department.or(info.map(|i| i.department.as_str())).unwrap_or_default(),
        })
    }

    /// A product as a recommendation. `None` if there is no such product.
    pub(crate) fn recommendation(
        &self,
        index: u32,
        probability: f32,
        reasons: Vec<String>,
    ) -> Option<Recommendation> {
        let label = self.label(index)?;
        let live = self.live(index);
        Some(Recommendation {
            product_id: ProductId::new(label.product_id).ok()?,
            product_name: label.name.to_owned(),
            aisle: label.aisle.to_owned(),
            department: label.department.to_owned(),
            price: live.and_then(|product| product.price),
            list_price: live.and_then(|product| product.list_price),
            currency: live.and_then(|product| product.currency),
            url: live.and_then(|product| product.url.clone()),
            image_url: live.and_then(|product| product.image_url.clone()),
            in_stock: stated_stock(live),
            probability,
            reasons,
            due_at: None,
            due_earliest: None,
            due_latest: None,
            source: None,
            moved_by: None,
            propensity: None,
            explanation: None,
        })
    }

    /// A product as the catalogue shows it. `None` if there is no such product.
    pub(crate) fn product(&self, index: u32) -> Option<ProductView> {
        let label = self.label(index)?;
        let live = self.live(index);
        let orders = self.opened.catalogue.get(index).map_or(0, |product| product.stats.orders);
        Some(ProductView {
            product_id: ProductId::new(label.product_id).ok()?,
            product_name: label.name.to_owned(),
            aisle: label.aisle.to_owned(),
            department: label.department.to_owned(),
            orders: u64::from(orders),
            in_stock: live.is_none_or(|product| product.is_in_stock()),
            shown: self.shows(index),
            hidden: live.is_some_and(|product| product.hidden),
            brand: live.and_then(|product| product.brand.clone()),
            price: live.and_then(|product| product.price),
            list_price: live.and_then(|product| product.list_price),
            currency: live.and_then(|product| product.currency),
            url: live.and_then(|product| product.url.clone()),
            image_url: live.and_then(|product| product.image_url.clone()),
        })
    }
}

/// Whether a product is in stock, if the shop has said anything about it.
pub(crate) fn stated_stock(live: Option<&Arc<Product>>) -> Option<bool> {
    let product = live?;
    let stated = product.in_stock.is_some() || product.stock.is_some();
    stated.then(|| product.is_in_stock())
}
