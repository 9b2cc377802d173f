//! The end of the merge phase: the merged fold results become catalogues and examples.

use std::sync::Arc;

use cartwheel_feature_set::{Label, SourceSearch};
use cartwheel_features::{
    Catalogue, Contents, Example, GROUPS, Histories, Parameters, Partial, ProductInfo, SampleSizes,
};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::fold::Folded;
use crate::options::JobOptions;
use crate::questions::Samples;
use crate::source_search;

/// The input of the assemble phase, besides the catalogues over others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assembly {
    pub train: Vec<Example>,
    pub valid: Vec<Example>,
    /// The gate examples, if they are too few for the gate: for cross-validation.
    pub few_gate: Vec<Example>,
    pub users: u64,
    /// What the examples ask for.
    pub label: Label,
    /// How the parameters of the sources were chosen.
    pub source_search: SourceSearch,
    /// Time of the newest checkout, UTC milliseconds.
    pub watermark_ms: i64,
    pub orders: u64,
    pub lines: u64,
    pub gate_examples: u64,
    /// Gate users with a question that has an answer.
    pub gate_users: u64,
}

/// The result of the merge phase.
pub(crate) struct Finished {
    /// The catalogue over all orders.
    pub whole: Catalogue,
    /// For each group of users, the catalogue over the users of the other groups.
    pub others: Vec<Catalogue>,
    pub gate: Vec<Example>,
    /// The first order of each user after the set ends.
    pub later: Vec<Example>,
    pub histories: Histories,
    pub assembly: Assembly,
}

/// Computes catalogues and examples. `products` are those that were folded with, in order.
pub(crate) fn finish(folded: Folded, products: Vec<ProductInfo>, options: &JobOptions) -> Finished {
    let users = folded.groups.iter().map(|group| group.users).sum();
    let merged = |is_kept: &dyn Fn(usize) -> bool| {
        let kept = folded.groups.iter().enumerate().filter(|(group, _)| is_kept(*group));
        let all = kept.map(|(_, partial)| partial.clone()).reduce(|mut all, other| {
            all.merge(other);
            all
        });
        all.unwrap_or_else(|| Partial::new(products.len(), SampleSizes::default()))
    };
    let without = |left_out: usize| {
        let others = merged(&|group| group != left_out);
        Catalogue::of_others(products.clone(), others, users)
    };
    let (contents, others): (_, Vec<Catalogue>) = rayon::join(
        || Arc::new(Contents::of(&products)),
        || (0..GROUPS).into_par_iter().map(without).collect(),
    );
    let described =
        |catalogue: Catalogue| catalogue.without_sources(&options.without).with_contents(&contents);
    let mut others: Vec<Catalogue> = others.into_iter().map(described).collect();
    let mut whole = described(Catalogue::finish(products.clone(), merged(&|_| true)));
    let (orders, lines) = (whole.orders, whole.lines);
    let by_key = |mut examples: Vec<Example>| {
        examples.sort_by(|a, b| (&a.user_id, a.order_number).cmp(&(&b.user_id, b.order_number)));
        examples
    };
    // A shop without either has too few orders, not too few visits.
    let visits_alone = folded.baskets.train.is_empty() && !folded.interactions.train.is_empty();
    let label = options.label.unwrap_or(match visits_alone {
        true => Label::NextInteraction,
        false => Label::NextBasket,
    });
    let Samples { train, valid, gate } = match label {
        Label::NextBasket => folded.baskets,
        Label::NextInteraction => folded.interactions,
        Label::RestOfVisit(_) => folded.rests,
    };
    let gate = gate.into_sorted();
    let answered = gate.iter().filter(|example| !example.basket.is_empty());
    let gate_users: FxHashSet<&str> = answered.map(|example| example.user_id.as_str()).collect();
    let gate_users = gate_users.len();
    let gate_is_small = gate_users < options.min_gate_users;
    let valid = by_key(valid.into_sorted());
    let source_search = match source_search::obstacle(&valid, gate_is_small, options.search) {
        Some(outcome) => SourceSearch { mode: options.search, outcome, ..SourceSearch::default() },
        None => {
            // Validation users are in the first group.
            let of_others = merged(&|group| group != 0);
            source_search::search(&mut others[0], &of_others, &valid, options)
        }
    };
    let parameters = others[0].parameters;
    if parameters != Parameters::default() {
        let adapt = |(group, catalogue): (usize, &mut Catalogue)| {
            catalogue.adapt(parameters, &merged(&|other| other != group));
        };
        others.par_iter_mut().enumerate().skip(1).for_each(adapt);
        whole.adapt(parameters, &merged(&|_| true));
    }
    let histories = folded.histories.finish(gate_is_small || options.until_ms.is_some());
    let assembly = Assembly {
        train: by_key(train.into_sorted()),
        valid,
        few_gate: match gate_is_small {
            true => by_key(gate.clone()),
            false => Vec::new(),
        },
        users: folded.users,
        label,
        source_search,
        watermark_ms: folded.watermark_ms,
        orders,
        lines,
        gate_examples: gate.len() as u64,
        gate_users: gate_users as u64,
    };
    let later = by_key(folded.later.into_sorted());
    Finished { whole, others, gate, later, histories, assembly }
}
