//! Checks what a caller says about a file before a job reads it.

use crate::http::problem::Problem;
use crate::operate::views::import::ImportContent;
use crate::operate::views::import_mapping::ImportMapping;

/// Most columns of a file without a header.
const MAX_HEADER: usize = 1_000;
/// Most ids that stand for unknown customers.
const MAX_NO_CUSTOMER: usize = 100;
/// Characters of a name that a problem repeats.
const SHOWN: usize = 64;

/// Checks that a mapping fits what the rows are, names fields and presets that exist, and is not
/// too long.
///
/// # Errors
/// When it does not. The problem names the field.
pub(super) fn check(
    mapping: &ImportMapping,
    kind: ImportContent,
    fields: &[String],
    presets: &[String],
) -> Result<(), Problem> {
    let ImportMapping { columns, preset, no_customer, timezone, date_order, order_by, header } =
        mapping;
    let is_feed = kind == ImportContent::Products;
    let given = [
        ("preset", preset.is_some()),
        ("no_customer", !no_customer.is_empty()),
        ("timezone", timezone.is_some()),
        ("date_order", date_order.is_some()),
        ("order_by", order_by.is_some()),
        ("header", !header.is_empty()),
    ];
    if let Some((name, _)) = given.into_iter().find(|(_, is_given)| is_feed && *is_given) {
        let detail = format!("{name} does not apply to products.");
        return Err(Problem::field(name, detail, "only columns"));
    }
    let exists = |name: &String| fields.contains(name) || is_feed && is_attribute(name);
    if let Some(name) = columns.keys().find(|name| !exists(name)) {
        let name: String = name.chars().take(SHOWN).collect();
        let detail = format!("{name} is not a field of {}.", kind.as_str());
        let expected = format!("one of {}", fields.join(", "));
        return Err(Problem::field(format!("columns.{name}"), detail, expected));
    }
    if let Some(preset) = preset
        && !presets.contains(preset)
    {
        let expected = format!("one of {}", presets.join(", "));
        return Err(Problem::field("preset", "The preset does not exist.", expected));
    }
    for (name, list, most) in
        [("header", header, MAX_HEADER), ("no_customer", no_customer, MAX_NO_CUSTOMER)]
    {
        if list.len() > most {
            let detail = format!("{name} has {} entries.", list.len());
            return Err(Problem::field(name, detail, format!("at most {most} entries")));
        }
    }
    Ok(())
}

/// Whether a field of products is an attribute, such as `attributes.colour`.
fn is_attribute(field: &str) -> bool {
    field.strip_prefix("attributes.").is_some_and(|name| !name.is_empty())
}
