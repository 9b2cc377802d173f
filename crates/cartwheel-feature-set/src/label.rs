//! The event whose probability a model predicts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The event whose probability a model predicts, of a product at the moment of a question.
///
/// Settings and manifests have it as text: `next_basket`, `next_interaction`, `next_purchase`, or
/// events with weights.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Label {
    /// The product is in the user's next purchase, or in the rest of the current one.
    #[default]
    NextBasket,
    /// The product is the next one that the user turns to in this visit.
    NextInteraction,
    /// The user does something with the product in the rest of this visit.
    RestOfVisit(EventWeights),
}

/// How much the events in the rest of a visit count, each 0 to 1. A product counts by the strongest
/// event that follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventWeights {
    /// The product is bought.
    pub purchase: f32,
    /// It is put into the cart.
    pub cart: f32,
    /// The user looks at it.
    pub click: f32,
}

/// Purchases alone: `next_purchase`.
const PURCHASE: EventWeights = EventWeights { purchase: 1.0, cart: 0.0, click: 0.0 };

/// A text that names no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a label is {}", Label::EXPECTED)]
pub struct InvalidLabel;

impl Label {
    /// The texts that name a label, for messages.
    pub const EXPECTED: &str = "next_basket, next_interaction, next_purchase, or events with \
                                weights such as \"purchase=1, cart=0.3, click=0.05\": each event \
                                at most once, each weight above 0 and at most 1";

    /// The event in words, as the end of "the probability that …".
    pub fn event(self) -> String {
        match self {
            Self::NextBasket => {
                "the product is in the customer's next purchase, or in the rest of the current one"
                    .to_owned()
            }
            Self::NextInteraction => {
                "the product is the next one that the shopper turns to in this visit".to_owned()
            }
            Self::RestOfVisit(PURCHASE) => {
                "the product is bought in the rest of this visit".to_owned()
            }
            Self::RestOfVisit(weights) => {
                let actions = ["is bought", "is put into the cart", "is looked at"];
                let counts = weights.named().into_iter().zip(actions);
                let counts = counts.filter(|((_, weight), _)| *weight > 0.0);
                let counts = counts.map(|((_, weight), action)| format!("{action} ({weight})"));
                let counts = counts.collect::<Vec<_>>().join(" or ");
                format!(
                    "the product {counts} in the rest of this visit, where the strongest event \
                     counts by the weight in brackets"
                )
            }
        }
    }
}

impl EventWeights {
    /// Names and weights, the strongest event first.
    fn named(self) -> [(&'static str, f32); 3] {
        [("purchase", self.purchase), ("cart", self.cart), ("click", self.click)]
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NextBasket => f.write_str("next_basket"),
            Self::NextInteraction => f.write_str("next_interaction"),
            Self::RestOfVisit(PURCHASE) => f.write_str("next_purchase"),
            Self::RestOfVisit(weights) => {
                let named = weights.named().into_iter().filter(|(_, weight)| *weight > 0.0);
                let named: Vec<String> =
                    named.map(|(name, weight)| format!("{name}={weight}")).collect();
                f.write_str(&named.join(", "))
            }
        }
    }
}

impl FromStr for Label {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        match text {
            "next_basket" => return Ok(Self::NextBasket),
            "next_interaction" => return Ok(Self::NextInteraction),
            "next_purchase" => return Ok(Self::RestOfVisit(PURCHASE)),
            _ => {}
        }
        let mut weights = EventWeights { purchase: 0.0, cart: 0.0, click: 0.0 };
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or(InvalidLabel)?;
            let weight: f32 = weight.trim().parse().map_err(|_| InvalidLabel)?;
            let place = match name.trim() {
                "purchase" => &mut weights.purchase,
                "cart" => &mut weights.cart,
                "click" => &mut weights.click,
                _ => return Err(InvalidLabel),
            };
            if *place > 0.0 || !(weight > 0.0 && weight <= 1.0) {
                return Err(InvalidLabel);
            }
            *place = weight;
        }
        Ok(Self::RestOfVisit(weights))
    }
}

impl TryFrom<String> for Label {
    type Error = InvalidLabel;

    fn try_from(text: String) -> Result<Self, InvalidLabel> {
        text.parse()
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_read_as_they_are_written() {
        for text in [
            "next_basket",
            "next_interaction",
            "next_purchase",
            "purchase=1, cart=0.3, click=0.05",
            "purchase=0.5",
            "click=1",
        ] {
            let label: Label = text.parse().unwrap();
            assert_eq!(label.to_string(), text);
            let json = serde_json::to_string(&label).unwrap();
            assert_eq!(json, format!("{text:?}"), "as in manifests of early versions");
            assert_eq!(serde_json::from_str::<Label>(&json).unwrap(), label);
        }
        assert_eq!(" click = .05,purchase=1".parse(), "purchase=1, click=0.05".parse::<Label>());
        assert_eq!("purchase=1".parse(), "next_purchase".parse::<Label>());
    }

    #[test]
    fn an_invalid_label_is_refused_with_all_that_is_allowed() {
        for text in [
            "",
            "auto",
            "purchase",
            "buy=1",
            "purchase=0",
            "purchase=1.5",
            "purchase=NaN",
            "cart=-0.3",
            "click=1, click=1",
            "purchase=1,",
        ] {
            let error = text.parse::<Label>().unwrap_err().to_string();
            assert!(error.contains("next_purchase, or events with weights"), "{text}: {error}");
        }
    }

    #[test]
    fn an_event_is_described_in_words() {
        let event = |text: &str| text.parse::<Label>().unwrap().event();
        assert_eq!(event("next_purchase"), "the product is bought in the rest of this visit");
        assert!(event("purchase=1, click=0.05").starts_with(
            "the product is bought (1) or is looked at (0.05) in the rest of this visit"
        ));
    }
}
