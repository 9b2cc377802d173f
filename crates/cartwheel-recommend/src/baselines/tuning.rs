//! Users by whom the parameters of baselines are chosen.

use cartwheel_features::OrderHistory;

use crate::metrics::list_score;

/// A user whose newest order is to be predicted from the orders before it.
pub(super) struct Labelled<'a> {
    pub(super) before: Vec<&'a [u32]>,
    label: &'a [u32],
}

impl<'a> Labelled<'a> {
    /// Splits the newest order off. `None` if there is no other.
    pub(super) fn new(user: &'a OrderHistory) -> Option<Self> {
        let mut before = user.baskets();
        let label = before.pop()?;
        (!before.is_empty()).then_some(Self { before, label })
    }
}

/// The mean Recall@10 of lists, one for each user.
pub(super) fn recall(lists: impl Iterator<Item = Vec<u32>>, users: &[Labelled<'_>]) -> f64 {
    let recalls = lists.zip(users).map(|(list, user)| list_score(&list, user.label, 10).recall);
    recalls.sum::<f64>() / users.len().max(1) as f64
}
