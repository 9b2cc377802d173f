//! Purchases of the event stream net of returns.

use std::borrow::Cow;

use cartwheel_features::{Movement, Pieces, net_returns};
use rustc_hash::FxHashSet;

use crate::rows::CheckoutRow;

/// A purchase without the products that the user gave back.
pub(crate) struct Purchase<'a> {
    /// The checkout.
    pub row: &'a CheckoutRow,
    /// The products of which the user kept at least a piece.
    pub kept: Cow<'a, [u32]>,
}

impl Purchase<'_> {
    /// Whether the user gave everything back.
    pub(crate) fn is_undone(&self) -> bool {
        self.kept.is_empty() && !self.row.products.is_empty()
    }
}

/// The purchases of a user, whose checkouts and returns are by time and id. An id that occurs
/// twice counts once.
pub(crate) fn purchases(rows: &[CheckoutRow]) -> Vec<Purchase<'_>> {
    let mut seen = FxHashSet::default();
    let rows: Vec<&CheckoutRow> =
        rows.iter().filter(|row| seen.insert(row.event_id.as_str())).collect();
    if rows.iter().all(|row| !row.is_return) {
        let all = rows.into_iter();
        return all.map(|row| Purchase { row, kept: Cow::Borrowed(&row.products) }).collect();
    }
    let mut movements: Vec<Movement<u32>> = rows.iter().map(|row| movement(row)).collect();
    net_returns(&mut movements);
    let kept = |items: Vec<Pieces<u32>>| {
        items.into_iter().filter(|item| item.count > 0).map(|item| item.product).collect()
    };
    let netted = rows.into_iter().zip(movements).filter(|(row, _)| !row.is_return);
    netted.map(|(row, movement)| Purchase { row, kept: Cow::Owned(kept(movement.items)) }).collect()
}

fn movement(row: &CheckoutRow) -> Movement<u32> {
    let items = row.products.iter().zip(&row.pieces);
    let items = items.map(|(&product, &count)| Pieces { product, count }).collect();
    Movement { is_return: row.is_return, items }
}
