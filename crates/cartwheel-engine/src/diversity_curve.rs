//! What diversity costs in recall.

use cartwheel_recommend::metrics::{Mean, Score, intra_list_distance, list_score, mean};
use cartwheel_recommend::paired::{Paired, paired};
use cartwheel_recommend::slices::Judged;
use cartwheel_recommend::{Diversity, Proportions, Ranked, similarity};
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use serde::Serialize;

/// The settings of a dial that are tried.
const SETTINGS: [f32; 5] = [0.1, 0.25, 0.5, 0.75, 1.0];
/// Length of the lists that are judged.
const LIMIT: usize = 10;

/// Lists of 10 at a setting of the dials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiversityPoint {
    /// The dials.
    #[serde(flatten)]
    pub dials: Diversity,
    /// The share of the basket in the list.
    pub recall_at_10: Mean,
    /// That share minus the one without diversity, question by question.
    pub difference: Paired,
    /// The mean distance between two products of a list, 0 to 1.
    pub intra_list_distance: f64,
    /// The mean distance of the lists' departments from the proportions in the users' histories, in
    /// nats.
    pub category_distance: f64,
    /// The share of the catalogue's products that are in a list of any user.
    pub coverage: f64,
}

/// A list at a setting.
struct Scored {
    recall: f64,
    spread: Option<f64>,
    category_distance: Option<f64>,
    list: Vec<u32>,
}

/// Judges the list of each question at several settings of each dial, first without diversity. Each
/// question is ranked once.
pub(crate) fn diversity_curve(
    asked: &[Judged<'_>],
    rank: impl Fn(&Judged<'_>) -> Vec<Ranked> + Sync,
) -> Vec<DiversityPoint> {
    let dials = dials();
    // By question, then by setting.
    let scored: Vec<Vec<Scored>> = asked
        .par_iter()
        .map(|judged| {
            let ranked = rank(judged);
            dials.iter().map(|dials| scored(judged, *dials, ranked.clone())).collect()
        })
        .collect();
    let recalls = |at: usize| -> Vec<Score> {
        let pairs = asked.iter().zip(&scored);
        pairs.map(|(judged, s)| Score { user: judged.user, value: s[at].recall }).collect()
    };
    let without = recalls(0);
    let products = asked.first().map_or(1, |j| j.market.catalogue().products.len()).max(1);
    let point = |(at, dials): (usize, &Diversity)| {
        let lists = || scored.iter().map(|settings| &settings[at]);
        let shown: FxHashSet<u32> = lists().flat_map(|s| s.list.iter().copied()).collect();
        let recalls = recalls(at);
        DiversityPoint {
            dials: *dials,
            recall_at_10: mean(&recalls),
            difference: paired(&recalls, &without),
            intra_list_distance: average(lists().filter_map(|s| s.spread)),
            category_distance: average(lists().filter_map(|s| s.category_distance)),
            coverage: shown.len() as f64 / products as f64,
        }
    };
    dials.iter().enumerate().map(point).collect()
}

/// The settings: none, then those of one dial, then those of the other.
fn dials() -> Vec<Diversity> {
    let calibration = SETTINGS.map(|calibration| Diversity { calibration, ..Diversity::NONE });
    let variety = SETTINGS.map(|variety| Diversity { variety, ..Diversity::NONE });
    [Diversity::NONE].into_iter().chain(calibration).chain(variety).collect()
}

fn scored(judged: &Judged<'_>, dials: Diversity, ranked: Vec<Ranked>) -> Scored {
    let (catalogue, example) = (judged.market.catalogue(), judged.example);
    let ranked = dials.rearrange(catalogue, &example.state, ranked, LIMIT, |ranked| {
        (ranked.candidate.product, ranked.probability)
    });
    let list: Vec<u32> = ranked.iter().take(LIMIT).map(|r| r.candidate.product).collect();
    let proportions = Proportions::of(catalogue, &example.state);
    Scored {
        recall: list_score(&list, &example.basket, LIMIT).recall,
        spread: intra_list_distance(&list, |one, other| similarity(catalogue, one, other)),
        category_distance: proportions.distance(catalogue, &list),
        list,
    }
}

fn average(values: impl Iterator<Item = f64>) -> f64 {
    let (count, sum) = values.fold((0_usize, 0.0), |(count, sum), value| (count + 1, sum + value));
    sum / count.max(1) as f64
}
