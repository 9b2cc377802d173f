//! Feature rows of candidates.

use cartwheel_features::{Action, Attention, Catalogue, Context, Sold, Source, Trail, UserState};
use rustc_hash::FxHashMap;

use crate::candidate::Candidate;
use crate::likeness::usual_price;
use crate::searched::Searched;
use crate::visit::{Seen, minutes};

/// Column names of a feature row, in order.
pub const FEATURES: [&str; 100] = [
    "user_orders",
    "user_periods",
    "user_mean_days_since_prior",
    "user_products",
    "user_distinct_products",
    "user_reorder_ratio",
    "user_mean_basket",
    "user_recent_basket",
    "user_recent_reorder_ratio",
    "prod_orders",
    "prod_reorders",
    "prod_first_orders",
    "prod_second_orders",
    "prod_reorder_ratio",
    "prod_repeat_ratio",
    "prod_share",
    "prod_recent_share",
    "prod_recent_share_fast",
    "prod_trend",
    "prod_heat",
    "prod_weeks_on_sale",
    "up_order_count",
    "up_first_order_number",
    "up_last_order_number",
    "up_avg_cart_position",
    "up_order_ratio",
    "up_ratio_since_first",
    "up_orders_since_last",
    "up_recency",
    "up_recency_place",
    "up_fast_recency",
    "up_day_recency",
    "up_recency_share",
    "up_orders_before_last",
    "up_expected",
    "up_days_since_last",
    "up_mean_gap_days",
    "up_due",
    "up_mean_gap_orders",
    "up_hazard_orders",
    "up_hazard_days",
    "visit_touches",
    "visit_products",
    "visit_minutes_since",
    "visit_last_repeats",
    "seen_count",
    "seen_places_ago",
    "seen_minutes_ago",
    "seen_removed",
    "follow_last",
    "follow_score",
    "follow_far",
    "together_score",
    "together_max",
    "together_last",
    "leads_to_score",
    "nearest_score",
    "nearest_close",
    "prod_touch_share",
    "prod_touch_recent_share",
    "prod_touch_recent_share_fast",
    "prod_touch_heat",
    "prod_adds_per_view",
    "prod_orders_per_view",
    "taste_score",
    "next_score",
    "next_lift",
    "user_aisle_share",
    "user_department_share",
    "cart_size",
    "cart_score_max",
    "cart_score_mean",
    "cart_aisle_share",
    "cart_department_share",
    "context_dow",
    "context_hour",
    "context_days_since_prior",
    "source_history",
    "source_seen",
    "source_cart",
    "source_visit",
    "source_taste",
    "source_next",
    "source_popular",
    "attraction_score",
    "attraction_last",
    "attraction_lift",
    "attraction_relative",
    "companion_score",
    "companion_relative",
    "source_affinity",
    "content_score",
    "content_max",
    "content_now",
    "price_ratio",
    "source_content",
    "search_match",
    "search_best",
    "search_minutes_ago",
    "source_search",
];

/// Appends one unscaled row per candidate to `out`: row-major and [`FEATURES`] wide. An
/// unknown value is NaN.
pub fn rows(
    catalogue: &Catalogue,
    state: &UserState,
    context: &Context,
    cart: &[u32],
    candidates: &[Candidate],
    out: &mut Vec<f32>,
) {
    let next = state.orders + 1;
    let user = UserShares::new(catalogue, state, next);
    let (cart_aisles, cart_departments) = shares(catalogue, cart.iter().map(|&p| (p, 1.0)));
    let orders = state.applied as f32;
    let today = state.days + context.days_since_prior.unwrap_or(0.0);
    let basket = over(state.lines as f32, orders);
    let guest = UserState::default();
    // What a source that is switched off would tell is as in a shop without views.
    let looks = |source| if catalogue.without.contains(source) { &guest } else { state };
    let usual_price = match catalogue.without.contains(Source::Content) {
        true => f32::NAN,
        false => usual_price(catalogue, state),
    };
    let visit = Seen::new(looks(Source::Visit), context.at_ms);
    let searched = Searched::new(catalogue, looks(Source::Search), context.at_ms);
    let week = catalogue.week(context);
    let unsold = Trail::default();
    let (all_orders, all_lately) = catalogue.all_sold(week);
    out.reserve(candidates.len() * FEATURES.len());
    for candidate in candidates {
        let Some(product) = catalogue.get(candidate.product) else { continue };
        let own = state.product(candidate.product);
        let (sold, trail) = match candidate.is_forgotten {
            true => (Sold::default(), &unsold),
            false => (catalogue.sold(product, own, week, today), &product.trail),
        };
        let share = over(sold.orders, all_orders);
        let recent = known(sold.lately.slow, all_lately.slow);
        let recent_fast = known(sold.lately.fast, all_lately.fast);
        let first_week = trail.span().map(|(first, _)| first);
        let weeks = first_week.map_or(f32::NAN, |first| f32::from(week.saturating_sub(first)));
        out.extend([
            state.orders as f32,
            state.days,
            state.mean_days_since_prior(),
            state.lines as f32,
            state.products.len() as f32,
            state.reorder_ratio(),
            basket,
            state.recent_lines,
            state.recent_reordered,
            sold.orders,
            sold.reorders,
            sold.buyers,
            sold.repeat_buyers,
            over(sold.reorders, sold.orders),
            over(sold.repeat_buyers, sold.buyers),
            share,
            recent,
            recent_fast,
            known(recent_fast, recent),
            known(recent, share),
            weeks,
        ]);
        match own {
            Some(up) => {
                let since = today - up.last_day;
                let gaps = up.orders as f32 - 1.0;
                let gap = if gaps > 0.0 { (up.last_day - up.first_day) / gaps } else { f32::NAN };
                let orders_since_first = state.orders.saturating_sub(up.first) as f32 + 1.0;
                let recency = up.recency(next);
                out.extend([
                    up.orders as f32,
                    up.first as f32,
                    up.last as f32,
                    up.mean_position(),
                    up.orders as f32 / orders.max(1.0),
                    up.orders as f32 / orders_since_first,
                    state.orders.saturating_sub(up.last) as f32,
                    recency,
                    user.place(recency),
                    up.fast_recency(next),
                    up.day_recency(today),
                    over(recency, user.weight),
                    if up.previous > 0 { (up.last - up.previous) as f32 } else { f32::NAN },
                    over(recency, user.weight) * state.recent_lines,
                    since,
                    gap,
                    if gap > 0.0 { since / gap } else { f32::NAN },
                    if gaps > 0.0 { (up.last - up.first) as f32 / gaps } else { f32::NAN },
                    product.hazard.after_orders(next.saturating_sub(up.last)),
                    product.hazard.after_days(since),
                ]);
            }
            None => {
                out.push(0.0);
                out.extend([f32::NAN; 19]);
            }
        }
        let (near, affinity) = (candidate.visit, candidate.affinity);
        out.extend([visit.touches, visit.products, visit.minutes_since, visit.of_last]);
        out.extend(seen(looks(Source::Seen), candidate.product, context.at_ms));
        out.extend([near.follow_last, near.follow, near.follow_far]);
        out.extend([near.together, near.together_max, near.together_last, near.leads_to]);
        out.extend([near.nearest, near.nearest_close]);
        out.extend(attention(catalogue, candidate, sold.orders, week));
        // Unknown for products that the user has bought: they would have the user as a buyer, but not
        // in training.
        let new = |value: f32| if own.is_none() { value } else { f32::NAN };
        let of = |shares: &FxHashMap<u32, f32>, key| shares.get(&key).copied().unwrap_or(0.0);
        out.extend([
            over(candidate.taste, user.weight),
            candidate.next,
            over(candidate.next, share),
            of(&user.aisles, product.aisle),
            of(&user.departments, product.department),
            cart.len() as f32,
            candidate.cart_best.score,
            over(candidate.cart_sum, cart.len() as f32),
            of(&cart_aisles, product.aisle),
            of(&cart_departments, product.department),
            context.dow.map_or(f32::NAN, f32::from),
            context.hour.map_or(f32::NAN, f32::from),
            context.days_since_prior.unwrap_or(f32::NAN),
            flag(candidate.source == Source::History),
            flag(candidate.source == Source::Seen),
            flag(candidate.source == Source::Cart),
            flag(candidate.source == Source::Visit),
            flag(candidate.source == Source::Taste),
            flag(candidate.source == Source::Next),
            flag(candidate.source == Source::Popular),
            new(affinity.attraction),
            new(affinity.attraction_last),
            new(over(affinity.attraction, share)),
            new(affinity.attraction_relative),
            new(affinity.companion),
            new(affinity.companion_relative),
            flag(candidate.source == Source::Affinity),
            candidate.content,
            candidate.content_best.score,
            candidate.content_now.score,
            catalogue.contents.price(candidate.product).map_or(f32::NAN, |p| p / usual_price),
            flag(candidate.source == Source::Content),
        ]);
        out.extend(searched.columns(candidate.product));
        out.push(flag(candidate.source == Source::Search));
    }
}

/// What the user did with the product: number of touches, touches since the newest one, minutes
/// since, and whether it was taken out of the cart last.
fn seen(state: &UserState, product: u32, at_ms: Option<i64>) -> [f32; 4] {
    let touches = || state.touches.iter().rev().enumerate().filter(|(_, t)| t.product == product);
    match touches().next() {
        Some((ago, newest)) => [
            touches().count() as f32,
            ago as f32,
            minutes(Some(newest.at_ms), at_ms),
            flag(newest.action == Action::Remove),
        ],
        None => [0.0, f32::NAN, f32::NAN, 0.0],
    }
}

/// How much attention the product gets: its share of all touches, lately and of the last days, the
/// latter relative to the first, and adds and orders per view. NaN in a shop without views.
fn attention(catalogue: &Catalogue, candidate: &Candidate, orders: f32, week: u16) -> [f32; 6] {
    let unseen = Attention::default();
    let attention = match catalogue.visits.attention.get(candidate.product as usize) {
        Some(_) if candidate.is_forgotten => &unseen,
        Some(attention) => attention,
        None => return [f32::NAN; 6],
    };
    let share = |of: fn(&Trail, u16) -> f32| {
        known(of(&attention.trail, week), of(&catalogue.visits.all, week))
    };
    let ever = share(|trail, _| trail.total());
    let slow = share(|trail, week| trail.before(week).slow);
    let fast = share(|trail, week| trail.before(week).fast);
    let per_view = |count: f32| known(count, attention.views);
    [ever, slow, fast, known(fast, ever), per_view(attention.adds), per_view(orders)]
}

/// The user's whole history, weighted by recency.
struct UserShares {
    weight: f32,
    recencies: Vec<f32>,
    aisles: FxHashMap<u32, f32>,
    departments: FxHashMap<u32, f32>,
}

impl UserShares {
    fn new(catalogue: &Catalogue, state: &UserState, next: u32) -> Self {
        let mut recencies: Vec<f32> = state.products.iter().map(|p| p.recency(next)).collect();
        let weight = recencies.iter().sum();
        let weighed = state.products.iter().zip(&recencies).map(|(p, &w)| (p.product, w));
        let (aisles, departments) = shares(catalogue, weighed);
        recencies.sort_by(|a, b| b.total_cmp(a));
        Self { weight, recencies, aisles, departments }
    }

    /// Returns the rank of a recency among the user's products, from 0.
    fn place(&self, recency: f32) -> f32 {
        self.recencies.partition_point(|&r| r > recency) as f32
    }
}

type Shares = FxHashMap<u32, f32>;

/// Returns the shares of aisles and of departments among weighted products.
fn shares(catalogue: &Catalogue, products: impl Iterator<Item = (u32, f32)>) -> (Shares, Shares) {
    let mut aisles = Shares::default();
    let mut departments = Shares::default();
    let mut sum = 0.0;
    for (product, weight) in products {
        if let Some(product) = catalogue.get(product) {
            *aisles.entry(product.aisle).or_default() += weight;
            *departments.entry(product.department).or_default() += weight;
            sum += weight;
        }
    }
    aisles.values_mut().chain(departments.values_mut()).for_each(|w| *w = over(*w, sum));
    (aisles, departments)
}

fn over(a: f32, b: f32) -> f32 {
    if b > 0.0 { a / b } else { 0.0 }
}

/// Returns `a / b`, or NaN if `b` is 0 or unknown.
fn known(a: f32, b: f32) -> f32 {
    if b > 0.0 { a / b } else { f32::NAN }
}

fn flag(on: bool) -> f32 {
    f32::from(u8::from(on))
}
