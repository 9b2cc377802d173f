//! What a user does besides buying, in order.

use cartwheel_features::{Event, Search, Touch, VISIT_GAP_MS};

use crate::rows::{SearchRow, TouchRow};

/// Something that a user did besides buying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Touch(Touch),
    Search(Search),
}

impl Step {
    /// When, UTC milliseconds.
    pub(crate) fn at_ms(&self) -> i64 {
        match self {
            Self::Touch(touch) => touch.at_ms,
            Self::Search(search) => search.at_ms,
        }
    }

    /// The touch, if it is one.
    pub(crate) fn touch(&self) -> Option<Touch> {
        match self {
            Self::Touch(touch) => Some(*touch),
            Self::Search(_) => None,
        }
    }

    /// The step as the fold takes it.
    pub(crate) fn event(&self) -> Event<'_> {
        match self {
            Self::Touch(touch) => Event::Touch(*touch),
            Self::Search(search) => Event::Search(search),
        }
    }
}

/// The steps of rows in order, by time; of the same moment, searches come first. Delivery may repeat
/// an event.
pub(crate) fn steps(touches: &[TouchRow], searches: &[SearchRow]) -> Vec<Step> {
    let same =
        |a: &TouchRow, b: &TouchRow| (a.at_ms, a.event, a.place) == (b.at_ms, b.event, b.place);
    let touches = touches.chunk_by(same).filter_map(<[TouchRow]>::first);
    let touch = |row: &TouchRow| {
        Step::Touch(Touch { product: row.product, action: row.action, at_ms: row.at_ms })
    };
    let same = |a: &SearchRow, b: &SearchRow| (&a.search, a.event) == (&b.search, b.event);
    let searches = searches.chunk_by(same).filter_map(<[SearchRow]>::first);
    let search = |row: &SearchRow| Step::Search(row.search.clone());
    let mut steps: Vec<Step> = searches.map(search).chain(touches.map(touch)).collect();
    steps.sort_by_key(Step::at_ms);
    steps
}

/// The last visit of some steps, in order.
pub(crate) fn last_visit(steps: &[Step]) -> &[Step] {
    steps.chunk_by(are_of_one_visit).last().unwrap_or_default()
}

/// The first touch of some steps, if it belongs to the visit of the first one.
pub(crate) fn first_touch(steps: &[Step]) -> Option<Touch> {
    steps.chunk_by(are_of_one_visit).next()?.iter().find_map(Step::touch)
}

fn are_of_one_visit(a: &Step, b: &Step) -> bool {
    b.at_ms().saturating_sub(a.at_ms()) <= VISIT_GAP_MS
}
