//! What `import` prints for people.

use std::fmt::Write as _;

use cartwheel_import::{Field, Format, How, Imported, Preview};

use crate::show::minute;

/// How sources are understood.
pub fn preview(preview: &Preview) -> String {
    let mut out = String::new();
    for source in &preview.sources {
        let format = match source.format {
            Format::Delimited(dialect) => {
                let delimiter = match dialect.delimiter {
                    ',' => "commas".to_owned(),
                    ';' => "semicolons".to_owned(),
                    '\t' => "tabs".to_owned(),
                    other => other.to_string(),
                };
                let quotes = if dialect.quoted { "quotes" } else { "backslash escapes" };
                format!("text with {delimiter} and {quotes}")
            }
            Format::Json => "JSON lines".to_owned(),
            Format::Parquet => "Parquet".to_owned(),
        };
        let _ = writeln!(out, "{}: {format}", source.name);
    }
    out.push_str("\nFIELD         COLUMN                          RECOGNISED BY\n");
    for recognised in &preview.fields {
        let how = match recognised.how {
            How::Given => "the mapping",
            How::Name => "its name",
            How::Content => "its content",
        };
        let columns = recognised.columns.join(", else ");
        let _ = writeln!(out, "{:<14}{columns:<32}{how}", recognised.field.as_str());
    }
    if preview.fields.iter().all(|recognised| recognised.field != Field::OrderId) {
        let order = serde_json::to_value(preview.order_by).unwrap_or_default();
        let rule = order.as_str().unwrap_or_default();
        let _ = writeln!(out, "Lines of one customer and {rule} become one order.");
    }
    let ignored = match preview.ignored_columns.as_slice() {
        [] => "none".to_owned(),
        columns => columns.join(", "),
    };
    let _ = writeln!(out, "Ignored columns: {ignored}");
    if preview.problem.is_some() {
        out.push_str("\nCOLUMN                          FIRST VALUES\n");
        for column in &preview.columns {
            let _ = writeln!(out, "{:<32}{}", column.name, column.examples.join(", "));
        }
        return out;
    }
    out.push_str("\nFirst rows as they are understood:\n");
    let _ = writeln!(
        out,
        "{:<17}{:<16}{:<14}{:<16}{:>6}{:>10}  ORDER, NAME",
        "TIME (UTC)", "EVENT", "USER", "PRODUCT", "PIECES", "PRICE"
    );
    for row in &preview.first_rows {
        let price = row.price.map_or_else(|| "–".to_owned(), |price| format!("{price:.2}"));
        let user = match (&row.user_id, &row.anonymous_id) {
            (Some(user), _) => user.clone(),
            (None, Some(guest)) => format!("~{guest}"),
            (None, None) => "unknown".to_owned(),
        };
        let _ = writeln!(
            out,
            "{:<17}{:<16}{user:<14}{:<16}{:>6}{price:>10}  {} {}",
            minute(row.at_ms),
            row.event,
            row.product_id,
            row.quantity,
            row.id,
            if row.query.is_empty() { &row.product_name } else { &row.query },
        );
    }
    out.push('\n');
    out.push_str(&counts(preview));
    out
}

/// What was imported.
pub fn imported(done: &Imported) -> String {
    let mut out = format!("{}\n", done.summary);
    if let Some(assembled) = &done.assembled
        && assembled.returns > 0
    {
        let _ = writeln!(
            out,
            "Returns: {} products, of which {} undo a purchase and {} have none that covers them; \
             {} orders were given back whole",
            assembled.returns,
            assembled.returns_netted,
            assembled.returns_unmatched,
            assembled.orders_undone
        );
    }
    if let Some(assembled) = done.assembled.filter(|assembled| assembled.guests > 0) {
        let _ = writeln!(out, "Guests: {} of {} users", assembled.guests, assembled.users);
    }
    let ignored = &done.understood.ignored_columns;
    if !ignored.is_empty() {
        let _ = writeln!(out, "Ignored columns: {}", ignored.join(", "));
    }
    out.push_str(&counts(&done.understood));
    out
}

/// The counts of rows, and what is left out.
fn counts(preview: &Preview) -> String {
    let mut out = String::new();
    let _ = write!(out, "{} rows: {} understood", preview.rows, preview.lines);
    if let (Some(first), Some(last)) = (preview.first_ms, preview.last_ms) {
        let _ = write!(out, " from {} to {} UTC", minute(first), minute(last));
    }
    let _ = writeln!(out, ", {} rejected", preview.rejected);
    for reason in preview.reasons.iter().take(10) {
        let _ = writeln!(out, "  {} × {}: {}", reason.rows, reason.reason, reason.example);
    }
    if preview.lines_without_customer > 0 {
        let _ = writeln!(
            out,
            "{} lines have no customer: they count for popularity and for what is bought together",
            preview.lines_without_customer
        );
    }
    if preview.stock_corrections > 0 {
        let _ = writeln!(
            out,
            "{} rows have neither customer nor price and are left out as corrections of the stock",
            preview.stock_corrections
        );
    }
    if !preview.other_events.is_empty() {
        let names = preview.other_events.iter().map(|(name, rows)| format!("{name} ({rows})"));
        let names = names.collect::<Vec<_>>().join(", ");
        let _ = writeln!(out, "Events of other kinds are left out: {names}");
    }
    if !preview.service_codes.is_empty() {
        let lines: u64 = preview.service_codes.iter().map(|code| code.lines).sum();
        let codes = preview.service_codes.iter();
        let codes =
            codes.map(|code| format!("{} {:?} ({})", code.product_id, code.name, code.lines));
        let codes = codes.collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            out,
            "{lines} lines are no products and are left out: {codes}; --product ID keeps one"
        );
    }
    for note in &preview.notes {
        let _ = writeln!(out, "Note: {note}");
    }
    out
}
