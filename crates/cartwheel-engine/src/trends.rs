//! What shoppers turn to now: decayed counts of the events of the stream, for the shop and for each
//! country.
//!
//! The counts know how far each shard has been counted. Both change together and are stored together,
//! so that a reader continues after a crash where the stored counts end, and counts nothing twice.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use cartwheel_events::{Country, EventKind, EventRecord, ProductId, Record};
use cartwheel_recommend::{StoredCounts, Trending, Window};
use cartwheel_stream::Sequence;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::trials::{StoredTrials, Trials, Tried};

/// Products that are counted, and twice as many for a while.
const CAPACITY: usize = 20_000;
/// Products that are counted for a country.
const COUNTRY_CAPACITY: usize = 2_000;
/// Countries with counts of their own: those with the most attention.
const COUNTRIES: usize = 40;
/// The format of stored counts.
const FORMAT: u8 = 2;
/// The format without what exploration has learned.
const WITHOUT_TRIALS: u8 = 1;

/// Decayed counts by product. Copies share them.
#[derive(Debug, Clone)]
pub struct Trends(Arc<RwLock<Counts>>);

/// Which counts decide what trends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trend {
    /// How far back attention counts.
    pub window: Window,
    /// Only the shoppers of this country, instead of all.
    pub country: Option<Country>,
}

#[derive(Debug, Clone, PartialEq)]
struct Counts {
    shop: Trending<ProductId>,
    countries: FxHashMap<Country, Trending<ProductId>>,
    trials: Trials,
    /// By shard: the sequence number of the first record that is not counted.
    next: BTreeMap<u32, Sequence>,
}

/// The counts as they are stored, in postcard after the format's number. What exploration has learned
/// follows as [`StoredTrials`].
#[derive(Serialize, Deserialize)]
struct Stored {
    shop: StoredCounts<String>,
    countries: Vec<(String, StoredCounts<String>)>,
    next: Vec<(u32, String)>,
}

/// Why stored counts cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrendsError {
    /// The bytes are damaged, or of a later release.
    #[error("the stored counts of trends are damaged, or of a later release")]
    Format,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            shop: Trending::new(CAPACITY),
            countries: FxHashMap::default(),
            trials: Trials::default(),
            next: BTreeMap::new(),
        }
    }
}

impl Default for Trends {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Counts::default())))
    }
}

impl Trends {
    /// Counts the events among the records of a shard up to `next`. Records before
    /// [`Trends::counted`] must not be among them.
    pub fn count(&self, shard: u32, records: &[(Sequence, impl Borrow<Record>)], next: Sequence) {
        let mut counts = self.0.write();
        for (_, record) in records {
            match record.borrow() {
                Record::Event(event) => {
                    counts.add(event);
                    counts.trials.add_event(event);
                }
                Record::Impression(impression) => counts.trials.add_answer(impression),
                Record::Product(_) => {}
            }
        }
        counts.next.insert(shard, next);
    }

    /// The sequence number of a shard's first record that is not counted.
    pub fn counted(&self, shard: u32) -> Sequence {
        self.0.read().next.get(&shard).copied().unwrap_or_default()
    }

    /// Forgets every event, before all are counted again.
    pub fn clear(&self) {
        *self.0.write() = Counts::default();
    }

    /// The counts, and how far they go, as bytes for [`Trends::restore`].
    pub fn stored(&self) -> Vec<u8> {
        // Requests do not wait for the encoding.
        let Counts { shop, countries, trials, next } = self.0.read().clone();
        let name = |product: &ProductId| product.as_str().to_owned();
        let stored = Stored {
            shop: shop.stored(name),
            countries: countries
                .iter()
                .map(|(country, counts)| (country.as_str().to_owned(), counts.stored(name)))
                .collect(),
            next: next.iter().map(|(&shard, next)| (shard, next.to_string())).collect(),
        };
        // Encoding these structs into memory cannot fail.
        postcard::to_extend(&stored, vec![FORMAT])
            .and_then(|bytes| postcard::to_extend(&trials.stored(), bytes))
            .unwrap_or_default()
    }

    /// Takes stored counts in place of the present ones.
    ///
    /// # Errors
    /// When the bytes are damaged or of a later release. The present counts remain.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), TrendsError> {
        let (&format, bytes) = bytes.split_first().ok_or(TrendsError::Format)?;
        let damaged = |_| TrendsError::Format;
        let (stored, rest): (Stored, _) = postcard::take_from_bytes(bytes).map_err(damaged)?;
        let trials = match format {
            FORMAT => postcard::from_bytes(rest).map_err(damaged)?,
            WITHOUT_TRIALS => StoredTrials::default(),
            _ => return Err(TrendsError::Format),
        };
        let product = |name: String| ProductId::new(name).ok();
        let shard = |(shard, next): (u32, String)| Some((shard, next.parse().ok()?));
        let country = |(name, counts): (String, StoredCounts<String>)| {
            let counts = Trending::restored(COUNTRY_CAPACITY, counts, product);
            Some((name.parse().ok()?, counts))
        };
        let next: Option<BTreeMap<u32, Sequence>> = stored.next.into_iter().map(shard).collect();
        *self.0.write() = Counts {
            shop: Trending::restored(CAPACITY, stored.shop, product),
            countries: stored.countries.into_iter().filter_map(country).collect(),
            trials: Trials::restored(trials),
            next: next.ok_or(TrendsError::Format)?,
        };
        Ok(())
    }

    /// The products that `keep` accepts and that trend at `now_ms`, with their scores, the largest
    /// first.
    pub(crate) fn top(
        &self,
        trend: Trend,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&ProductId) -> bool,
    ) -> Vec<(ProductId, f64)> {
        let counts = self.0.read();
        let of = match trend.country {
            None => Some(&counts.shop),
            Some(country) => counts.countries.get(&country),
        };
        of.map_or_else(Vec::new, |counts| counts.top(trend.window, now_ms, limit, keep))
    }

    /// What exploration has seen of a product.
    pub(crate) fn tried(&self, product_id: &str) -> Tried {
        ProductId::new(product_id)
            .map_or_else(|_| Tried::default(), |id| self.0.read().trials.of(&id))
    }

    /// The products that exploration has tried most often.
    pub(crate) fn most_tried(&self, limit: usize) -> Vec<(ProductId, Tried)> {
        self.0.read().trials.most_tried(limit)
    }

    /// The products that `keep` accepts and that draw the most attention at `now_ms`, with their
    /// counts of a day, the largest first.
    pub(crate) fn busiest(
        &self,
        now_ms: i64,
        limit: usize,
        keep: impl Fn(&ProductId) -> bool,
    ) -> Vec<(ProductId, f64)> {
        self.0.read().shop.busiest(now_ms, limit, keep)
    }
}

impl Counts {
    /// Counts an event. It counts for nothing if it says nothing about demand.
    fn add(&mut self, event: &EventRecord) {
        let Some(weight) = weight(event.event) else { return };
        let at_ms = event.received_at_ms;
        for product in &event.product_ids {
            self.shop.add(product.clone(), weight, at_ms);
        }
        let Some(country) = event.country else { return };
        if !self.countries.contains_key(&country) && self.countries.len() >= COUNTRIES {
            self.drop_country(at_ms);
        }
        let counts = self.countries.entry(country).or_insert(Trending::new(COUNTRY_CAPACITY));
        for product in &event.product_ids {
            counts.add(product.clone(), weight, at_ms);
        }
    }

    /// Drops the country with the least attention.
    fn drop_country(&mut self, now_ms: i64) {
        let of_country = |(country, counts): (&Country, &Trending<ProductId>)| {
            (counts.attention(now_ms), *country)
        };
        let all = self.countries.iter().map(of_country);
        let least = all.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        if let Some((_, country)) = least {
            self.countries.remove(&country);
        }
    }
}

/// How much an event counts for each of its products.
fn weight(event: EventKind) -> Option<f64> {
    match event {
        EventKind::View => Some(1.0),
        EventKind::AddToCart => Some(3.0),
        EventKind::Checkout => Some(5.0),
        _ => None,
    }
}
