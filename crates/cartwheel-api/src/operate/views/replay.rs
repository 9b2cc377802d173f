//! An answer that was made again, as the API shows it.

use cartwheel_engine::{Explanation, Recommendation};
use cartwheel_events::{Impression, ImpressionItem};
use serde::Serialize;
use utoipa::ToSchema;

/// How an answer that was made again compares with the one that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReplayOutcome {
    /// The same products at the same places, with the same probabilities to the last digit, sources
    /// and rules.
    Same,
    /// Something differs: a product's `is_same` tells where.
    Different,
    /// Something that the answer was made from is no longer stored: `missing` tells what.
    Incomplete,
    /// The shopper's data was erased. Nothing was computed.
    Erased,
}

/// A product of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct AnsweredProduct {
    /// The product.
    pub product_id: String,
    /// Its probability or score, 0 to 1.
    pub probability: f32,
    /// The candidate source that proposed it.
    pub source: String,
    /// The rule that moved it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A place of an answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ReplayedPlace {
    /// The place, from 1.
    #[schema(value_type = u64)]
    pub place: usize,
    /// Whether both answers have the same product here, with equal values.
    pub is_same: bool,
    /// The product that was given; absent if the list ended before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub given: Option<AnsweredProduct>,
    /// The product that was computed again; absent if the list ended before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<AnsweredProduct>,
    /// The name of the product that was computed again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// How it came to its probability; absent for a product that no model has scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Explanation>,
}

/// An earlier answer, computed again from what is stored.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Replay {
    /// The answer's id.
    pub recommendation_id: String,
    /// How the two compare.
    pub outcome: ReplayOutcome,
    /// What is no longer stored, or why the answer cannot be computed: a sentence for each.
    pub missing: Vec<String>,
    /// The shopper; absent after an erasure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// When the answer was given, UTC milliseconds.
    pub answered_at_ms: i64,
    /// The release that gave it: feature set and model.
    pub release: String,
    /// The placement that it filled, if it filled one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement: Option<String>,
    /// The answer, place by place. Empty if it cannot be computed.
    pub places: Vec<ReplayedPlace>,
}

impl Replay {
    /// An answer that cannot be computed, with the reasons.
    pub fn incomplete(impression: &Impression, missing: Vec<String>) -> Self {
        Self {
            recommendation_id: impression.recommendation_id.clone(),
            outcome: ReplayOutcome::Incomplete,
            missing,
            user_id: Some(impression.user_id.to_string()),
            answered_at_ms: impression.received_at_ms,
            release: impression.release.clone(),
            placement: impression.placement.clone(),
            places: Vec::new(),
        }
    }

    /// An answer to a shopper who was erased.
    pub fn erased(impression: &Impression) -> Self {
        let missing = "The shopper's data was erased, and the answer with it.".to_owned();
        Self {
            outcome: ReplayOutcome::Erased,
            user_id: None,
            ..Self::incomplete(impression, vec![missing])
        }
    }

    /// The comparison of the answer that was given with the one that was computed again.
    pub(crate) fn compared(impression: &Impression, again: Vec<Recommendation>) -> Self {
        let count = impression.shown.len().max(again.len());
        let mut again = again.into_iter();
        let places: Vec<ReplayedPlace> =
            (0..count).map(|at| place(at + 1, impression.shown.get(at), again.next())).collect();
        let is_same = places.iter().all(|place| place.is_same);
        let outcome = if is_same { ReplayOutcome::Same } else { ReplayOutcome::Different };
        Self { outcome, places, ..Self::incomplete(impression, Vec::new()) }
    }
}

fn place(
    place: usize,
    given: Option<&ImpressionItem>,
    again: Option<Recommendation>,
) -> ReplayedPlace {
    let given = given.map(|item| AnsweredProduct {
        product_id: item.product_id.to_string(),
        probability: item.score,
        source: item.source.clone(),
        rule: item.rule.clone(),
    });
    let product_name = again.as_ref().map(|item| item.product_name.clone());
    let (again, explanation) = again.map_or((None, None), |item| {
        let product = AnsweredProduct {
            product_id: item.product_id.to_string(),
            probability: item.probability,
            source: item.source.unwrap_or_default(),
            rule: item.moved_by.map(|moved| moved.rule),
        };
        (Some(product), item.explanation)
    });
    let explanation = explanation.filter(|explanation| explanation.base.is_some());
    let is_same = match (&given, &again) {
        (Some(given), Some(again)) => {
            given == again && given.probability.to_bits() == again.probability.to_bits()
        }
        _ => false,
    };
    ReplayedPlace { place, is_same, given, again, product_name, explanation }
}

#[cfg(test)]
mod tests {
    use cartwheel_events::{ProductId, UserId};

    use super::*;

    fn impression(scores: &[f32]) -> Impression {
        let item = |(score, position): (&f32, u32)| ImpressionItem {
            product_id: ProductId::new(format!("p{position}")).unwrap(),
            position,
            score: *score,
            source: "cart".to_owned(),
            rule: None,
            propensity: None,
        };
        Impression {
            schema_version: 1,
            recommendation_id: "r".to_owned(),
            user_id: UserId::new("u").unwrap(),
            release: "f+m".to_owned(),
            cart: Vec::new(),
            shown: scores.iter().zip(0..).map(item).collect(),
            received_at_ms: 1,
            placement: None,
            page: None,
            moment: None,
        }
    }

    fn again(impression: &Impression) -> Vec<Recommendation> {
        let item = |item: &ImpressionItem| Recommendation {
            product_id: item.product_id.clone(),
            product_name: String::new(),
            aisle: String::new(),
            department: String::new(),
            price: None,
            list_price: None,
            currency: None,
            url: None,
            image_url: None,
            in_stock: None,
            probability: item.score,
            reasons: Vec::new(),
            due_at: None,
            due_earliest: None,
            due_latest: None,
            source: Some(item.source.clone()),
            moved_by: None,
            propensity: None,
            explanation: None,
        };
        impression.shown.iter().map(item).collect()
    }

    #[test]
    fn one_bit_makes_a_difference() {
        let given = impression(&[0.5, 0.25]);
        let compare = |change: fn(&mut Vec<Recommendation>)| {
            let mut items = again(&given);
            change(&mut items);
            let replay = Replay::compared(&given, items);
            let same: Vec<bool> = replay.places.iter().map(|place| place.is_same).collect();
            (replay.outcome, same)
        };
        assert_eq!(compare(|_| {}), (ReplayOutcome::Same, vec![true, true]));
        let differs = |change, same: &[bool]| {
            assert_eq!(compare(change), (ReplayOutcome::Different, same.to_vec()));
        };
        differs(|items| items[1].probability = items[1].probability.next_up(), &[true, false]);
        differs(|items| items.swap(0, 1), &[false, false]);
        differs(|items| items[0].source = Some("taste".to_owned()), &[false, true]);
        differs(|items| drop(items.pop()), &[true, false]);
        differs(|items| items.push(items[0].clone()), &[true, true, false]);
    }
}
