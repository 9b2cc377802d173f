//! What visits like the current one contain.

use cartwheel_features::{Catalogue, Parameter};

use super::question::{Baseline, Question};

/// Touched products that visits are compared by, the newest.
const TOUCHED: usize = 16;

/// VS-kNN (Ludewig & Jannach, UMUAI 2018), by the catalogue's sample of visits.
struct SimilarVisits;

impl Baseline for SimilarVisits {
    fn name(&self) -> &'static str {
        "VS-kNN"
    }

    fn rank(&self, question: &Question<'_>, limit: usize) -> Vec<u32> {
        let touched = question.state.touched(TOUCHED);
        let most = question.catalogue.parameters[Parameter::NearestVisits] as usize;
        let near = question.catalogue.visits.nearest(&touched, most);
        question.best(near.into_iter().map(|near| (near.product, near.score)), limit)
    }
}

/// Returns the baseline that looks for similar visits, if the catalogue has any.
pub fn of_visits(catalogue: &Catalogue) -> Option<Box<dyn Baseline>> {
    let has_visits = !catalogue.visits.is_empty();
    has_visits.then(|| Box::new(SimilarVisits) as Box<dyn Baseline>)
}
