//! From a placement and a request's parameters to a question for the engine.

use cartwheel_engine::{Diversity, Slot, SlotStep};
use cartwheel_events::ProductId;
use cartwheel_filter::{Context, Expression, Source};
use cartwheel_placements::{Dials, MAX_RANKED, Parameter, Placements, Step};
use serde::{Deserialize, Serialize};

use crate::http::problem::{Kind, Problem};

/// What a request says about one of its lists.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    /// The placement.
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) product_id: Option<ProductId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) products: Option<Vec<ProductId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) filter: Option<String>,
}

/// The question for a list. `at` is where the request describes the list, for errors: such as
/// `placements[2].`, or nothing.
pub(crate) fn slot(
    document: &Placements,
    asked: Asked,
    context: &Context,
    at: &str,
) -> Result<Slot, Problem> {
    let Asked { name, product_id, products, limit, filter } = asked;
    let placement = document.placements.get(&name).ok_or_else(|| unknown(document, &name))?;
    let most = placement.limit;
    let limit = limit.unwrap_or(most);
    if !(1..=most).contains(&limit) {
        let expected = format!("a number from 1 to {most}, the limit of the placement");
        return Err(Problem::field(format!("{at}limit"), "limit is out of range.", expected));
    }
    match placement.kind.needs() {
        Some(Parameter::Product) if product_id.is_none() => {
            let detail = format!("The placement {name} lists what belongs to a product.");
            return Err(Problem::field(format!("{at}product_id"), detail, "a product id"));
        }
        Some(Parameter::Products) if products.is_none() => {
            let detail = format!("The placement {name} orders products.");
            return Err(Problem::field(format!("{at}products"), detail, "1 to 1000 product ids"));
        }
        _ => {}
    }
    let products = products.map(|products| within_bounds(products, at)).transpose()?;
    let own = filter.map(|text| Expression::parse(&text, context.clone(), Source::Shopper));
    let own = own
        .transpose()
        .map_err(|error| Problem { field: Some(format!("{at}filter")), ..Problem::from(error) })?;
    let step = |step: Step<'_>| {
        let filters = step.filters.iter().map(|text| {
            let read = Expression::parse(text, context.clone(), Source::Shopper);
            // It was checked when it was stored: only the request's values can be missing.
            read.map_err(|error| {
                let detail = format!("The filter of the placement {name}: {error}");
                Problem::field("context", detail, error.expected())
            })
        });
        let filters = filters.chain(own.clone().map(Ok)).collect::<Result<Vec<_>, Problem>>()?;
        let expression = filters.into_iter().reduce(Expression::and);
        Ok(SlotStep { kind: step.kind, expression })
    };
    let steps = document.chain(&name).into_iter().map(step);
    let Dials { calibration, variety } = placement.diversity;
    Ok(Slot {
        steps: steps.collect::<Result<_, Problem>>()?,
        placement: name,
        limit,
        diversity: Diversity { calibration, variety },
        explore: placement.explore.slots.min(limit),
        recommendation_id: None,
        product: product_id,
        products: products.unwrap_or_default(),
    })
}

fn within_bounds(products: Vec<ProductId>, at: &str) -> Result<Vec<ProductId>, Problem> {
    match products.len() {
        1..=MAX_RANKED => Ok(products),
        length => {
            let detail = format!("products has {length} entries.");
            Err(Problem::field(format!("{at}products"), detail, "1 to 1000 product ids"))
        }
    }
}

/// The problem for a placement that does not exist, with the names of those that do.
pub(super) fn unknown(document: &Placements, name: &str) -> Problem {
    let name: String = name.chars().take(64).collect();
    let names: Vec<&str> = document.placements.keys().map(String::as_str).collect();
    let detail = match names.is_empty() {
        true => format!("There is no placement {name:?}; there are no placements."),
        false => format!("There is no placement {name:?}; there are {}.", names.join(", ")),
    };
    Problem::new(Kind::NotFound, detail)
}
