//! What followed from recommendations, by day of the shop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use cartwheel_ambient::Clock;
use cartwheel_api::{
    DayQuality, ExplorationQuality, Funnel, FunnelOrder, ProductFunnel, ProductQuality,
    ProductsQuality, Quality, QualityPart,
};
use cartwheel_events::ProductId;
use cartwheel_lake::{FeedbackDays, FeedbackKey, Lake, LakeError, Reactions};
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::exploration::{Cost, Places};

/// Most answers of a day in memory.
const MAX_ANSWERS: u64 = 100_000;
/// Positions of a list that are counted separately.
const POSITIONS: usize = 10;
/// How often days are looked at whose figures can be stored.
const STORE_INTERVAL: Duration = Duration::from_secs(3600);
/// Days that are looked at after a start, and from then on.
const AFTER_START: usize = 90;
const LATER: usize = 40;

/// The figures of a shop.
pub struct Feedback {
    days: FeedbackDays,
    window_hours: u32,
}

impl Feedback {
    /// Figures by the days of a time zone. An event counts for an answer for `window_hours`.
    ///
    /// # Errors
    /// When the time zone is unknown.
    pub fn new(timezone: &str, window_hours: u32) -> Result<Self> {
        let window_ms = i64::from(window_hours) * 3_600_000;
        let zone = TimeZone::get(timezone)?;
        Ok(Self { days: FeedbackDays { zone, window_ms, limit: MAX_ANSWERS }, window_hours })
    }

    /// The last `count` days, oldest first; the last one is that of `now_ms`.
    fn last(&self, count: usize, now_ms: i64) -> Vec<Date> {
        let today = self.days.day_of(now_ms);
        let before = |days: usize| today.checked_sub(i64::try_from(days).ok()?.days()).ok();
        (0..count).rev().filter_map(before).collect()
    }

    /// The figures of the last `days` days, of all answers or of one placement's.
    pub(crate) fn quality(
        &self,
        lake: &Lake,
        days: usize,
        placement: Option<&str>,
        now_ms: i64,
    ) -> Result<Quality, LakeError> {
        let days = self.last(days, now_ms);
        let mut sum = Sum::default();
        let mut quality = Quality {
            from: text(days.first()),
            to: text(days.last()),
            window_hours: self.window_hours,
            one_in: 1,
            ..Quality::default()
        };
        for day in days {
            let found = self.days.of(lake, day, now_ms)?;
            quality.one_in = quality.one_in.max(found.one_in);
            let mut of_day = Reactions::default();
            for (key, row) in &found.rows {
                if placement.is_none_or(|placement| key.placement == placement) {
                    of_day.add(row);
                    sum.add(key, row);
                }
            }
            if of_day.sent > 0 {
                quality.days.push(DayQuality { day: day.to_string(), funnel: funnel(&of_day) });
            }
        }
        Ok(sum.into_quality(quality))
    }

    /// The figures of the last `days` days by product: of at most `limit` products, in an order.
    pub(crate) fn by_product(
        &self,
        lake: &Lake,
        days: usize,
        order: FunnelOrder,
        limit: usize,
        now_ms: i64,
    ) -> Result<ProductsQuality, LakeError> {
        let days = self.last(days, now_ms);
        let mut sums: BTreeMap<String, Reactions> = BTreeMap::new();
        let mut one_in = 1;
        for day in &days {
            let found = self.days.products_of(lake, *day, now_ms)?;
            one_in = one_in.max(found.one_in);
            for (key, row) in found.rows {
                sums.entry(key.product_id).or_default().add(&row);
            }
        }
        let figure = |row: &Reactions| match order {
            FunnelOrder::Shown => row.shown as f64,
            FunnelOrder::Viewed => row.viewed as f64,
            FunnelOrder::Added => row.added as f64,
            FunnelOrder::Bought => row.bought as f64,
            FunnelOrder::Revenue => row.revenue,
        };
        let mut sums: Vec<(String, Reactions)> = sums.into_iter().collect();
        sums.sort_by(|(_, a), (_, b)| {
            figure(b).total_cmp(&figure(a)).then_with(|| (b.shown, b.sent).cmp(&(a.shown, a.sent)))
        });
        sums.truncate(limit);
        let view = |(product_id, row)| ProductFunnel { product_id, funnel: funnel(&row) };
        let products = sums.into_iter().map(view).collect();
        Ok(ProductsQuality { from: text(days.first()), to: text(days.last()), one_in, products })
    }

    /// The figures of a product in the last `days` days.
    pub(crate) fn of_product(
        &self,
        lake: &Lake,
        product_id: &ProductId,
        days: usize,
        now_ms: i64,
    ) -> Result<ProductQuality, LakeError> {
        let days = self.last(days, now_ms);
        let mut quality = ProductQuality {
            product_id: product_id.to_string(),
            from: text(days.first()),
            to: text(days.last()),
            one_in: 1,
            ..ProductQuality::default()
        };
        let mut total = Reactions::default();
        let mut placements: BTreeMap<String, Part> = BTreeMap::new();
        let mut sources: BTreeMap<String, Part> = BTreeMap::new();
        for day in days {
            let found = self.days.products_of(lake, day, now_ms)?;
            quality.one_in = quality.one_in.max(found.one_in);
            let mut of_day = Reactions::default();
            for (key, row) in found.rows {
                if key.product_id == product_id.as_str() {
                    of_day.add(&row);
                    placements.entry(key.placement).or_default().all.add(&row);
                    sources.entry(key.source).or_default().all.add(&row);
                }
            }
            total.add(&of_day);
            if of_day.sent > 0 {
                quality.days.push(DayQuality { day: day.to_string(), funnel: funnel(&of_day) });
            }
        }
        Ok(ProductQuality {
            total: funnel(&total),
            placements: of_products(views(placements, |part| part.funnel.sent)),
            sources: of_products(views(sources, |part| part.funnel.sent)),
            ..quality
        })
    }

    /// Stores the figures of the days that have ended. Runs until dropped.
    pub(crate) async fn follow(self: Arc<Self>, lake: Lake, clock: Clock) {
        let mut count = AFTER_START;
        loop {
            let (feedback, lake, now_ms) = (self.clone(), lake.clone(), clock.now_ms());
            let store = move || {
                let days = feedback.last(count, now_ms);
                days.into_iter().try_for_each(|day| feedback.days.store(&lake, day, now_ms))
            };
            let stored = tokio::task::spawn_blocking(store).await.map_err(anyhow::Error::from);
            if let Err(error) = stored.and_then(|stored| Ok(stored?)) {
                let error = format!("{error:#}");
                tracing::error!(error, "cannot store what followed from recommendations");
            }
            count = LATER;
            tokio::time::sleep(STORE_INTERVAL).await;
        }
    }
}

/// A day as text; empty without one.
fn text(day: Option<&Date>) -> String {
    day.map(Date::to_string).unwrap_or_default()
}

fn funnel(row: &Reactions) -> Funnel {
    let Reactions { sent, shown, viewed, added, bought, revenue } = *row;
    Funnel { sent, shown, viewed, added, bought, revenue: cents(revenue) }
}

/// A sum of prices as it is printed: without what adding binary fractions leaves.
fn cents(sum: f64) -> f64 {
    (sum * 100.0).round() / 100.0
}

/// The cost of exploration. What it has learned is not in the lake.
fn exploration(cost: &Cost) -> ExplorationQuality {
    ExplorationQuality {
        explored: funnel(&cost.explored),
        others: funnel(&cost.others),
        lost_views: cents(cost.views),
        lost_revenue: cents(cost.revenue),
        compared: cost.compared,
        products: Vec::new(),
    }
}

/// The figures of a part of the answers.
#[derive(Default)]
struct Part {
    answers: u64,
    all: Reactions,
    positions: Vec<Reactions>,
}

impl Part {
    fn add(&mut self, key: &FeedbackKey, row: &Reactions) {
        let at = key.position as usize;
        // Every answer has a first position.
        self.answers += if at == 0 { row.sent } else { 0 };
        self.all.add(row);
        if at < POSITIONS {
            if self.positions.len() <= at {
                self.positions.resize(at + 1, Reactions::default());
            }
            self.positions[at].add(row);
        }
    }

    fn view(self, name: String) -> QualityPart {
        let positions = self.positions.iter().map(funnel).collect();
        QualityPart { name, answers: Some(self.answers), funnel: funnel(&self.all), positions }
    }
}

/// The figures of a period by model, placement, source and rule.
#[derive(Default)]
struct Sum {
    whole: Part,
    models: BTreeMap<String, Part>,
    placements: BTreeMap<String, Part>,
    sources: BTreeMap<String, Part>,
    rules: BTreeMap<String, Part>,
    places: Places,
}

impl Sum {
    fn add(&mut self, key: &FeedbackKey, row: &Reactions) {
        self.whole.add(key, row);
        self.places.add(key, row);
        for (parts, name) in [
            (&mut self.models, &key.model),
            (&mut self.placements, &key.placement),
            (&mut self.sources, &key.source),
            (&mut self.rules, &key.rule),
        ] {
            if !parts.contains_key(name) {
                parts.insert(name.clone(), Part::default());
            }
            if let Some(part) = parts.get_mut(name) {
                part.add(key, row);
            }
        }
    }

    fn into_quality(self, quality: Quality) -> Quality {
        let whole = self.whole.view(String::new());
        Quality {
            answers: whole.answers.unwrap_or_default(),
            total: whole.funnel,
            positions: whole.positions,
            models: views(self.models, |part| part.answers.unwrap_or_default()),
            placements: views(self.placements, |part| part.answers.unwrap_or_default()),
            sources: of_products(views(self.sources, |part| part.funnel.sent)),
            exploration: exploration(&self.places.cost()),
            rules: of_products(views(self.rules, |part| part.funnel.sent)),
            ..quality
        }
    }
}

/// The parts with the largest sizes first.
fn views(parts: BTreeMap<String, Part>, size: fn(&QualityPart) -> u64) -> Vec<QualityPart> {
    let mut views: Vec<QualityPart> =
        parts.into_iter().map(|(name, part)| part.view(name)).collect();
    views.sort_by_key(|part| std::cmp::Reverse(size(part)));
    views
}

/// Parts that several products of one answer may belong to.
fn of_products(parts: Vec<QualityPart>) -> Vec<QualityPart> {
    let part = |part| QualityPart { answers: None, positions: Vec::new(), ..part };
    parts.into_iter().map(part).collect()
}
