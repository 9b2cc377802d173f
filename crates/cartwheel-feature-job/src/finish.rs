//! The end of the merge phase: the merged fold results become catalogues and examples.

use std::sync::Arc;

use cartwheel_feature_set::{Label, SourceSearch};
use cartwheel_features::{
    Catalogue, Contents, Example, GROUPS, Histories, Merged, Parameters, Partial, ProductInfo,
    Sources, group_of, stable_hash,
};
use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use crate::fold::Folded;
use crate::options::JobOptions;
use crate::questions::Samples;
use crate::source_search;

/// The input of the assemble phase, besides the catalogues over others.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assembly {
    /// By group, user and order, as the other examples.
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
    pub catalogues: Catalogues,
    /// The catalogue over the users of all groups but the first.
    pub first: Catalogue,
    pub gate: Vec<Example>,
    /// The first order of each user after the set ends.
    pub later: Vec<Example>,
    pub histories: Histories,
    pub assembly: Assembly,
}

/// Makes catalogues of the merged fold results: one at a time, because each takes several kilobytes a
/// product.
pub(crate) struct Catalogues {
    groups: [Partial; GROUPS],
    products: Vec<ProductInfo>,
    contents: Arc<Contents>,
    without: Sources,
    parameters: Parameters,
}

impl Catalogues {
    /// The catalogue over all orders.
    pub(crate) fn whole(&self) -> Catalogue {
        let merged = self.merged(|_| true);
        self.described(Catalogue::of_all(self.products.clone(), &merged, self.parameters))
    }

    /// The catalogue over the users of all groups but one.
    pub(crate) fn of_others(&self, group: usize) -> Catalogue {
        self.built_of_others(&self.merged(|other| other != group))
    }

    fn built_of_others(&self, merged: &Merged<'_>) -> Catalogue {
        let users = self.groups.iter().map(|group| group.users).sum();
        let products = self.products.clone();
        self.described(Catalogue::of_others(products, merged, users, self.parameters))
    }

    fn described(&self, catalogue: Catalogue) -> Catalogue {
        catalogue.without_sources(&self.without).with_contents(&self.contents)
    }

    /// The merged results of some groups.
    fn merged(&self, is_kept: impl Fn(usize) -> bool) -> Merged<'_> {
        let kept = self.groups.iter().enumerate().filter(|(group, _)| is_kept(*group));
        Merged::of(&kept.map(|(_, partial)| partial).collect::<Vec<_>>())
    }

    fn orders(&self) -> u64 {
        self.groups.iter().map(|group| group.orders).sum()
    }

    fn lines(&self) -> u64 {
        let products = self.groups.iter().flat_map(|group| &group.products);
        products.map(|product| u64::from(product.orders)).sum()
    }
}

/// Computes examples, and what catalogues are made of. `products` are those that were folded with,
/// in order.
pub(crate) fn finish(folded: Folded, products: Vec<ProductInfo>, options: &JobOptions) -> Finished {
    let mut catalogues = Catalogues {
        groups: folded.groups,
        contents: Arc::new(Contents::of(&products)),
        products,
        without: options.without.clone(),
        parameters: Parameters::default(),
    };
    let in_order = |mut examples: Vec<Example>| {
        // By group, because rows are made with one group's catalogue after the other.
        examples.sort_by(|a, b| in_order_of(a).cmp(&in_order_of(b)));
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
    let valid = in_order(valid.into_sorted());
    // Validation users are in the first group.
    let merged = catalogues.merged(|group| group != 0);
    let mut first = catalogues.built_of_others(&merged);
    let source_search = match source_search::obstacle(&valid, gate_is_small, options.search) {
        Some(outcome) => SourceSearch { mode: options.search, outcome, ..SourceSearch::default() },
        None => source_search::search(&mut first, &merged, &valid, options),
    };
    drop(merged);
    catalogues.parameters = first.parameters;
    let histories = folded.histories.finish(gate_is_small || options.until_ms.is_some());
    let assembly = Assembly {
        train: in_order(train.into_sorted()),
        valid,
        few_gate: match gate_is_small {
            true => in_order(gate.clone()),
            false => Vec::new(),
        },
        users: folded.users,
        label,
        source_search,
        watermark_ms: folded.watermark_ms,
        orders: catalogues.orders(),
        lines: catalogues.lines(),
        gate_examples: gate.len() as u64,
        gate_users: gate_users as u64,
    };
    let later = in_order(folded.later.into_sorted());
    Finished { catalogues, first, gate, later, histories, assembly }
}

fn in_order_of(example: &Example) -> (usize, &str, u32) {
    let group = group_of(stable_hash(example.user_id.as_bytes()));
    (group, &example.user_id, example.order_number)
}
