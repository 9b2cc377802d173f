//! The join of answers with events, in memory.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ListArray, RecordBatch};
use cartwheel_events::EventKind;
use rustc_hash::FxHashMap;

use crate::files::scan::{list_counts, list_texts, lists, numbers, optional_texts, texts};
use crate::read::reactions::{FeedbackKey, ProductKey, Reactions};
use crate::read::ties::Ties;

/// An answer with its products.
struct Answer {
    placement: String,
    model: String,
    received_at_ms: i64,
    products: Vec<Sent>,
}

/// A product of an answer, and what followed.
struct Sent {
    product_id: String,
    source: String,
    rule: String,
    explored: bool,
    shown: bool,
    viewed: bool,
    added: bool,
    bought: bool,
    revenue: f64,
}

impl Sent {
    fn reactions(&self) -> Reactions {
        Reactions {
            sent: 1,
            shown: u64::from(self.shown),
            viewed: u64::from(self.viewed),
            added: u64::from(self.added),
            bought: u64::from(self.bought),
            revenue: self.revenue,
        }
    }
}

/// An event that may count.
pub(super) struct ShopperEvent {
    received_at_ms: i64,
    user_id: String,
    kind: EventKind,
    /// Each product with its pieces and the price of a piece.
    items: Vec<(String, u32, Option<f64>)>,
    recommendation_id: Option<String>,
}

/// A product of an answer, as indices.
#[derive(Clone, Copy)]
struct Place {
    answer: usize,
    position: usize,
}

/// Answers, and what followed from them so far.
#[derive(Default)]
pub(super) struct Join {
    answers: Vec<Answer>,
    by_id: FxHashMap<String, usize>,
    /// By shopper and product: where the shopper found it when it was last put into the cart.
    added: FxHashMap<(String, String), Place>,
}

impl Join {
    /// Adds the answers of a time range to shoppers that `is_asked` accepts.
    pub(super) fn add_answers(
        &mut self,
        batch: &RecordBatch,
        range: Range<i64>,
        ties: &Ties,
        is_asked: impl Fn(&str) -> bool,
    ) -> io::Result<()> {
        let (id, user) = (texts(batch, "recommendation_id")?, texts(batch, "user_id")?);
        let (release, received) = (texts(batch, "release")?, numbers(batch, "received_at_ms")?);
        let products = lists(batch, "product_ids")?;
        let placement = optional_texts(batch, "placement");
        let (sources, rules) = (lists(batch, "sources").ok(), lists(batch, "rules").ok());
        let propensities = lists(batch, "propensities").ok();
        for row in 0..batch.num_rows() {
            let received_at_ms = received.value(row);
            let user = ties.user(user.value(row), received_at_ms).unwrap_or(user.value(row));
            // Delivery may repeat an answer.
            let is_known = self.by_id.contains_key(id.value(row));
            if is_known || !range.contains(&received_at_ms) || !is_asked(user) {
                continue;
            }
            let mut sources = optional_list(sources, row)?.into_iter();
            let mut rules = optional_list(rules, row)?.into_iter();
            let mut propensities = optional_numbers(propensities, row).into_iter();
            let sent = list_texts(products, row)?.into_iter().map(|product_id| Sent {
                product_id,
                source: sources.next().unwrap_or_default(),
                rule: rules.next().unwrap_or_default(),
                explored: propensities.next().flatten().is_some(),
                shown: false,
                viewed: false,
                added: false,
                bought: false,
                revenue: 0.0,
            });
            let products: Vec<Sent> = sent.collect();
            if products.is_empty() {
                continue;
            }
            self.by_id.insert(id.value(row).to_owned(), self.answers.len());
            let placement = placement.filter(|names| names.is_valid(row));
            self.answers.push(Answer {
                placement: placement.map_or("", |names| names.value(row)).to_owned(),
                // A release's name is the feature set, `+`, and the model.
                model: release.value(row).split_once('+').map_or("none", |(_, m)| m).to_owned(),
                received_at_ms,
                products,
            });
        }
        Ok(())
    }

    /// Reads the events that may count: the checkouts of shoppers that `is_asked` accepts, and the
    /// others that name one of the answers.
    pub(super) fn read_events(
        &self,
        batch: &RecordBatch,
        ties: &Ties,
        is_asked: impl Fn(&str) -> bool,
        found: &mut Vec<ShopperEvent>,
    ) -> io::Result<()> {
        let (user, kind) = (texts(batch, "user_id")?, texts(batch, "event")?);
        let (id, received) =
            (texts(batch, "recommendation_id")?, numbers(batch, "received_at_ms")?);
        let (products, quantities) = (lists(batch, "product_ids")?, lists(batch, "quantities")?);
        let prices = lists(batch, "prices").ok();
        for row in 0..batch.num_rows() {
            let recommendation_id = id.is_valid(row).then(|| id.value(row).to_owned());
            let is_named = recommendation_id.as_ref().is_some_and(|id| self.by_id.contains_key(id));
            let Some(kind) = EventKind::parse(kind.value(row)) else { continue };
            let received_at_ms = received.value(row);
            let user = ties.user(user.value(row), received_at_ms).unwrap_or(user.value(row));
            let counts = match kind {
                EventKind::Checkout => is_named || is_asked(user),
                EventKind::View | EventKind::AddToCart | EventKind::Impression => is_named,
                _ => false,
            };
            if !counts {
                continue;
            }
            let prices = optional_numbers(prices, row);
            let prices = prices.into_iter().chain(std::iter::repeat(None));
            let items = list_texts(products, row)?.into_iter();
            let items = items.zip(list_counts(quantities, row)?).zip(prices);
            found.push(ShopperEvent {
                received_at_ms,
                user_id: user.to_owned(),
                kind,
                items: items.map(|((product, pieces), price)| (product, pieces, price)).collect(),
                recommendation_id,
            });
        }
        Ok(())
    }

    /// Counts events, in the order of their acceptance, within `window_ms` after their answer.
    pub(super) fn apply(&mut self, mut events: Vec<ShopperEvent>, window_ms: i64) {
        events.sort_by_key(|event| event.received_at_ms);
        for event in events {
            let at_ms = event.received_at_ms;
            let named = event.recommendation_id.as_ref().and_then(|id| self.by_id.get(id)).copied();
            for (product, pieces, price) in event.items {
                let place = named.and_then(|answer| {
                    let sent = &self.answers.get(answer)?.products;
                    let position = sent.iter().position(|sent| sent.product_id == product)?;
                    Some(Place { answer, position })
                });
                let place = place.filter(|place| self.is_within(*place, at_ms, window_ms));
                let key = (event.user_id.clone(), product);
                let place = match event.kind {
                    EventKind::Checkout => {
                        let added = self.added.remove(&key);
                        place.or(added.filter(|place| self.is_within(*place, at_ms, window_ms)))
                    }
                    EventKind::AddToCart => place.inspect(|&place| {
                        self.added.insert(key, place);
                    }),
                    _ => place,
                };
                let Some(Place { answer, position }) = place else { continue };
                let sent = &mut self.answers[answer].products[position];
                sent.shown = true;
                match event.kind {
                    EventKind::View => sent.viewed = true,
                    EventKind::AddToCart => sent.added = true,
                    EventKind::Checkout => {
                        sent.bought = true;
                        sent.revenue += price.unwrap_or_default() * f64::from(pieces);
                    }
                    _ => {}
                }
            }
        }
    }

    fn is_within(&self, place: Place, at_ms: i64, window_ms: i64) -> bool {
        let since = at_ms.saturating_sub(self.answers[place.answer].received_at_ms);
        (0..=window_ms).contains(&since)
    }

    /// The sums by what they are about.
    pub(super) fn rows(self) -> BTreeMap<FeedbackKey, Reactions> {
        let mut rows: BTreeMap<FeedbackKey, Reactions> = BTreeMap::new();
        for answer in self.answers {
            for (position, sent) in (0_u32..).zip(answer.products) {
                let reactions = sent.reactions();
                let key = FeedbackKey {
                    placement: answer.placement.clone(),
                    model: answer.model.clone(),
                    position,
                    source: sent.source,
                    rule: sent.rule,
                    explored: sent.explored,
                };
                rows.entry(key).or_default().add(&reactions);
            }
        }
        rows
    }

    /// The sums by product: of the `most` combinations that were shown most often.
    pub(super) fn products(self, most: usize) -> BTreeMap<ProductKey, Reactions> {
        let mut rows: FxHashMap<ProductKey, Reactions> = FxHashMap::default();
        for answer in self.answers {
            for sent in answer.products {
                let reactions = sent.reactions();
                let key = ProductKey {
                    product_id: sent.product_id,
                    placement: answer.placement.clone(),
                    source: sent.source,
                };
                rows.entry(key).or_default().add(&reactions);
            }
        }
        let mut rows: Vec<(ProductKey, Reactions)> = rows.into_iter().collect();
        rows.sort_unstable_by(|(a, x), (b, y)| {
            (y.shown, y.sent).cmp(&(x.shown, x.sent)).then_with(|| a.cmp(b))
        });
        rows.truncate(most);
        rows.into_iter().collect()
    }
}

/// The texts of a list that files of earlier releases lack.
fn optional_list(lists: Option<&ListArray>, row: usize) -> io::Result<Vec<String>> {
    lists.filter(|lists| lists.is_valid(row)).map_or(Ok(Vec::new()), |lists| list_texts(lists, row))
}

/// The numbers of a list; an unknown one is `None`.
pub(super) fn optional_numbers(lists: Option<&ListArray>, row: usize) -> Vec<Option<f64>> {
    let Some(lists) = lists.filter(|lists| lists.is_valid(row)) else { return Vec::new() };
    let values = lists.value(row);
    values
        .as_primitive_opt::<Float64Type>()
        .map(|numbers| numbers.iter().collect())
        .unwrap_or_default()
}
