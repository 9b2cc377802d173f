//! Filter expressions of requests.

use cartwheel_filter::{Context, Expression, Source};
use serde_json::{Map, Value};

use crate::http::problem::Problem;

/// Reads a request's filter with the values that it gives.
pub(crate) fn expression(
    filter: Option<&str>,
    context: Option<Map<String, Value>>,
    source: Source,
) -> Result<Option<Expression>, Problem> {
    let context = Context::from_json(context.unwrap_or_default())?;
    let expression = filter.map(|text| Expression::parse(text, context, source));
    Ok(expression.transpose()?)
}
