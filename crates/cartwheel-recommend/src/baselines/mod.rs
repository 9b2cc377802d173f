//! Recommenders without a trained model: the bar that a model has to exceed.
//!
//! A new one implements [`Baseline`] and is returned by [`simple`], [`of_visits`] or [`of_others`]; evaluation
//! and reports take it from there.

mod question;
mod similar_visits;
mod simple;
mod tifu_knn;
mod tuning;
mod up_cf;

use cartwheel_features::OrderHistory;

pub use question::{Baseline, Question};
pub use similar_visits::of_visits;
pub use simple::simple;

use tifu_knn::TifuKnn;
use tuning::Labelled;
use up_cf::UpCf;

/// Returns the baselines that look for similar users among `references`, who must not contain a
/// judged user. A few parameters of each are chosen by the newest orders of the users `tuning`,
/// who must be neither; without any, the first parameters that would be tried stay.
pub fn of_others<'a>(
    references: &[&'a OrderHistory],
    tuning: &'a [OrderHistory],
) -> Vec<Box<dyn Baseline + 'a>> {
    let tuning: Vec<Labelled<'_>> = tuning.iter().filter_map(Labelled::new).collect();
    vec![Box::new(TifuKnn::tuned(references, &tuning)), Box::new(UpCf::tuned(references, &tuning))]
}

#[cfg(test)]
mod tests;
