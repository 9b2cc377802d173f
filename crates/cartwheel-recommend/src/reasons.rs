//! Reasons for a recommendation, as text.

use cartwheel_features::{Catalogue, MAX_TOUCHES, Source, UserState};
use rustc_hash::FxHashMap;

use crate::candidate::{Best, Candidate};
use crate::columns::{Subject, column};
use crate::rank::Contributions;
use crate::rows::FEATURES;
use crate::searched::Searched;

/// Reasons of one product, at most.
const MOST: usize = 2;
/// How often a list may say the same.
const SAME: u8 = 3;
/// A product goes with another if they are together in this many times as many baskets as two
/// products of their popularity are by chance.
const GOES_WITH: f32 = 1.5;
/// Least likeness of a product for it to be called like another.
const IS_LIKE: f32 = 0.3;
/// Least share of the customer's purchases from an aisle for it to be a reason.
const OF_AISLE: f32 = 0.05;

/// A sentence that is true of a product, and its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    subject: Subject,
    text: String,
}

/// Returns everything that speaks for a candidate, in a fixed order of subjects. `name` gives the
/// name of a product.
pub fn reasons<'a>(
    catalogue: &Catalogue,
    state: &UserState,
    candidate: &Candidate,
    name: impl Fn(u32) -> &'a str,
) -> Vec<Reason> {
    let mut all = Vec::new();
    let mut say = |subject, text| all.push(Reason { subject, text });
    if let Some(up) = state.product(candidate.product) {
        let gap = (up.last_day - up.first_day) / (up.orders.max(2) - 1) as f32;
        if up.orders > 2 && gap >= 1.5 {
            say(Subject::Habit, format!("You buy this every {gap:.0} days"));
        }
        let orders = if state.applied == 1 { "order" } else { "orders" };
        say(Subject::Habit, format!("In {} of your {} {orders}", up.orders, state.applied));
    }
    if state.touched(MAX_TOUCHES).contains(&candidate.product) {
        say(Subject::Visit, "You looked at it".to_owned());
    }
    if let Some(held) = candidate.cart_best.product()
        && lift(catalogue, candidate.product, held, candidate.cart_best.score) >= GOES_WITH
    {
        say(Subject::Cart, format!("Goes with {}", name(held)));
    }
    if Searched::new(catalogue, state, None).is_match(candidate.product) {
        say(Subject::Search, "Matches what you searched for".to_owned());
    }
    if let Some(bought) = candidate.taste_best.product() {
        say(Subject::Taste, format!("Often bought with {}, which you buy", name(bought)));
    }
    let visit = &candidate.visit;
    if visit.follow > 0.0 || visit.nearest > 0.0 || visit.together > 0.0 {
        say(Subject::Visit, "Others turned to it after what you looked at".to_owned());
    }
    if let Some(bought) = candidate.affinity.attraction_best.product() {
        say(Subject::Affinity, format!("Customers who buy {} also buy this", name(bought)));
    }
    let like = |best: Best| best.product().filter(|_| best.score >= IS_LIKE);
    if let Some(turned_to) = like(candidate.content_now) {
        say(Subject::Content, format!("Like {}", name(turned_to)));
    }
    if let Some(bought) = like(candidate.content_best) {
        say(Subject::Content, format!("Like what you bought: {}", name(bought)));
    }
    if candidate.next > 0.0 {
        say(Subject::Next, "Bought next by customers who buy what you buy".to_owned());
    }
    let Some(product) = catalogue.get(candidate.product) else { return all };
    let of_aisle = |up: &&cartwheel_features::UserProduct| {
        catalogue.get(up.product).is_some_and(|bought| bought.aisle == product.aisle)
    };
    let bought: u32 = state.products.iter().filter(of_aisle).map(|up| up.orders).sum();
    if bought as f32 > OF_AISLE * state.lines as f32 && !product.info.is_unnamed() {
        say(Subject::Aisle, format!("You often buy from {}", product.info.aisle));
    }
    let orders = product.stats.orders;
    let share = 100.0 * orders as f32 / catalogue.orders.max(1) as f32;
    let text = match orders {
        0 => "New in the shop".to_owned(),
        1 => "Bought once so far".to_owned(),
        _ if share < 0.1 => format!("Bought {orders} times so far"),
        _ => format!("Popular: in {share:.1} % of all orders"),
    };
    say(Subject::Popularity, text);
    all
}

/// How many times as often two products are together as by chance, by their neighbour score.
fn lift(catalogue: &Catalogue, one: u32, other: u32, score: f32) -> f32 {
    let orders = |product: u32| catalogue.get(product).map_or(0.0, |p| p.stats.orders as f32);
    let by_chance = (orders(one) * orders(other)).sqrt() / catalogue.orders.max(1) as f32;
    if by_chance > 0.0 { score / by_chance } else { 0.0 }
}

/// Chooses the reasons of a list, one product after the other.
#[derive(Debug, Default)]
pub struct Said(FxHashMap<String, u8>);

impl Said {
    /// Chooses the strongest reasons of a product, at most two: of its strongest subject, and of
    /// the habit and the cart beside it.
    ///
    /// With the contributions of its columns, the strongest subject is the one that adds most to
    /// the log-odds; subjects that subtract from them are no reasons, unless there are no others.
    /// Without contributions, it is the user's habit, then the candidate's source. A sentence that
    /// the list has said three times gives way to the next one.
    pub fn choose(
        &mut self,
        source: Source,
        contributions: Option<&Contributions>,
        mut reasons: Vec<Reason>,
    ) -> Vec<String> {
        let added = contributions.map(by_subject);
        let strength = |subject: Subject| match &added {
            Some(added) => added.get(&subject).copied().unwrap_or_default(),
            None if subject == Subject::Habit => 2.0,
            None if Some(subject) == of_source(source) => 1.0,
            None => 0.0,
        };
        // Stable: among equals the fixed order of subjects.
        reasons.sort_by(|a, b| strength(b.subject).total_cmp(&strength(a.subject)));
        if added.is_some() && reasons.iter().any(|reason| strength(reason.subject) > 0.0) {
            reasons.retain(|reason| strength(reason.subject) > 0.0);
        }
        reasons.retain(|reason| self.0.get(&reason.text).is_none_or(|&said| said < SAME));
        let first = reasons.first().map(|reason| reason.subject);
        let adds = |reason: &Reason| {
            let is_own = matches!(reason.subject, Subject::Habit | Subject::Cart);
            Some(reason.subject) == first || is_own
        };
        let chosen = reasons.into_iter().filter(adds).take(MOST);
        let texts: Vec<String> = chosen.map(|reason| reason.text).collect();
        for text in &texts {
            *self.0.entry(text.clone()).or_default() += 1;
        }
        texts
    }
}

/// The contributions of columns, added up by subject.
fn by_subject(contributions: &Contributions) -> FxHashMap<Subject, f32> {
    let mut sums = FxHashMap::default();
    for (name, value) in FEATURES.iter().zip(&contributions.values) {
        if let Some(column) = column(name) {
            *sums.entry(column.subject).or_default() += value;
        }
    }
    sums
}

/// The subject that made a product a candidate.
fn of_source(source: Source) -> Option<Subject> {
    match source {
        Source::History => Some(Subject::Habit),
        Source::Cart => Some(Subject::Cart),
        Source::Search => Some(Subject::Search),
        Source::Seen | Source::Visit => Some(Subject::Visit),
        Source::Taste => Some(Subject::Taste),
        Source::Next => Some(Subject::Next),
        Source::Affinity => Some(Subject::Affinity),
        Source::Content => Some(Subject::Content),
        Source::Popular => Some(Subject::Popularity),
        Source::Trending | Source::New => None,
    }
}
