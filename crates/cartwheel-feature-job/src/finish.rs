//! The end of the merge phase: the merged fold results become catalogues and examples.

use cartwheel_features::{Catalogue, Example, ProductInfo};
use serde::{Deserialize, Serialize};

use crate::fold::Folded;
use crate::options::JobOptions;

/// The input of the assemble phase, besides the catalogue without label orders.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assembly {
    pub train: Vec<Example>,
    pub valid: Vec<Example>,
    /// The gate examples, if they are too few for the gate: for cross-validation.
    pub few_gate: Vec<Example>,
    pub users: u64,
    /// Time of the newest checkout, UTC milliseconds.
    pub watermark_ms: i64,
    pub orders: u64,
    pub lines: u64,
    pub gate_examples: u64,
}

/// The result of the merge phase.
pub(crate) struct Finished {
    /// The catalogue over all orders.
    pub whole: Catalogue,
    /// The catalogue without label orders.
    pub cut: Catalogue,
    pub gate: Vec<Example>,
    pub assembly: Assembly,
}

/// Computes catalogues and examples. `products` are those that were folded with, in order.
pub(crate) fn finish(folded: Folded, products: Vec<ProductInfo>, options: &JobOptions) -> Finished {
    let orders = folded.whole.orders;
    let lines = folded.whole.products.iter().map(|p| u64::from(p.orders)).sum();
    let infos = products.clone();
    let (whole, cut) = rayon::join(
        || Catalogue::finish(infos, folded.whole),
        || Catalogue::finish(products, folded.cut),
    );
    let by_key = |mut examples: Vec<Example>| {
        examples.sort_by(|a, b| (&a.user_id, a.order_number).cmp(&(&b.user_id, b.order_number)));
        examples
    };
    let gate = folded.gate.into_sorted();
    let assembly = Assembly {
        train: by_key(folded.train.into_sorted()),
        valid: by_key(folded.valid.into_sorted()),
        few_gate: match gate.len() < options.min_gate_users {
            true => by_key(gate.clone()),
            false => Vec::new(),
        },
        users: folded.users,
        watermark_ms: folded.watermark_ms,
        orders,
        lines,
        gate_examples: gate.len() as u64,
    };
    Finished { whole, cut, gate, assembly }
}
