//! How an import understands its sources.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde::Serialize;

use crate::columns::{Column, columns};
use crate::error::ImportError;
use crate::field::Field;
use crate::format::Format;
use crate::mapping::{Mapping, OrderBy};
use crate::options::Options;
use crate::products::ServiceCode;
use crate::read::{Begun, Reading, read};
use crate::recognise::{Recognised, recognise};
use crate::source::Source;
use crate::tally::{Reason, UnderstoodRow};
use crate::time::TimeReader;

/// A source and its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceFormat {
    /// The source.
    pub name: String,
    /// Its format.
    pub format: Format,
}

/// How the sources are understood.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Preview {
    /// The sources.
    pub sources: Vec<SourceFormat>,
    /// Why the rows cannot be understood, and what to do. Then nothing is counted, and only the
    /// first source is looked at.
    pub problem: Option<String>,
    /// The columns of the first source.
    pub columns: Vec<Column>,
    /// The fields and their columns.
    pub fields: Vec<Recognised>,
    /// Columns that mean nothing to the import.
    pub ignored_columns: Vec<String>,
    /// How lines without an order id become orders.
    pub order_by: OrderBy,
    /// The time zone of times without one.
    pub timezone: String,
    /// All rows.
    pub rows: u64,
    /// Rows that are understood as lines of orders or as events.
    pub lines: u64,
    /// The first rows as they are understood.
    pub first_rows: Vec<UnderstoodRow>,
    /// Rejected rows.
    pub rejected: u64,
    /// Why they are rejected, the most frequent reason first.
    pub reasons: Vec<Reason>,
    /// Rows of other kinds of events, which are left out, by name.
    pub other_events: BTreeMap<String, u64>,
    /// Rows without customer and price, which are left out.
    pub stock_corrections: u64,
    /// Lines whose customer is unknown. They count for popularity and for what is bought
    /// together.
    pub lines_without_customer: u64,
    /// Codes that are no products; their lines are left out.
    pub service_codes: Vec<ServiceCode>,
    /// The first time, UTC milliseconds.
    pub first_ms: Option<i64>,
    /// The last time, UTC milliseconds.
    pub last_ms: Option<i64>,
    /// What the shop should know.
    pub notes: Vec<String>,
    /// The mapping in the form of a file.
    pub mapping: String,
}

/// Reads the sources and imports nothing. `progress` gets the number of bytes read. If the columns
/// cannot be understood, the preview says why and shows them.
///
/// # Errors
/// When a source cannot be read, or an option is invalid.
pub fn preview(
    sources: &[Source],
    options: &Options,
    progress: &mut dyn FnMut(u64),
) -> Result<Preview, ImportError> {
    let begun = Begun::new(sources, options)?;
    let plan = match begun.plan() {
        Err(ImportError::Mapping { problem, .. }) => {
            return Ok(Preview::unclear(&begun, options, problem));
        }
        plan => plan?,
    };
    let reading = read(begun, plan, None, progress)?;
    let services = reading.tally.products.service_codes(&options.services, &options.products);
    Ok(Preview::of(&reading, services))
}

impl Preview {
    /// What can be said about sources whose rows cannot be understood.
    fn unclear(begun: &Begun<'_>, options: &Options, problem: String) -> Self {
        let Options { mapping, timezone, .. } = options;
        let times = TimeReader::new(TimeZone::UTC, mapping.date_order.unwrap_or_default());
        let recognised = |mapping: &Mapping| recognise(begun.sample(), mapping, &times);
        // The mapping may name a column that does not exist.
        let fields = recognised(mapping).or_else(|_| recognised(&Mapping::default()));
        let fields = fields.unwrap_or_default();
        let columns = columns(begun.sample());
        let is_used = |name: &String| fields.iter().any(|field| field.columns.contains(name));
        let names = columns.iter().map(|column| column.name.clone());
        let (name, format) = begun.format();
        Self {
            sources: vec![SourceFormat { name, format }],
            problem: Some(problem),
            ignored_columns: names.filter(|name| !is_used(name)).collect(),
            columns,
            fields,
            order_by: mapping.order_by.unwrap_or_default(),
            timezone: mapping.timezone.as_ref().unwrap_or(timezone).clone(),
            mapping: mapping.to_text(),
            ..Self::default()
        }
    }

    /// How a reading understood the sources.
    pub(crate) fn of(reading: &Reading, service_codes: Vec<ServiceCode>) -> Self {
        let Reading { plan, columns, tally, formats, .. } = reading;
        let source = |(name, format): &(String, Format)| SourceFormat {
            name: name.clone(),
            format: *format,
        };
        let mut notes = plan.notes.clone();
        if let Some(email) = &tally.email {
            notes.push(format!(
                "users are known by e-mail addresses, such as {email}: ids that change with the \
                 address, and that name a person wherever they are shown; prefer the shop's own \
                 customer ids"
            ));
        }
        let visitors = plan.fields.iter().find(|f| f.field == Field::AnonymousId);
        if let Some(visitors) = visitors.filter(|_| tally.lines > 0 && !tally.has_users) {
            notes.push(format!(
                "all shoppers are guests, known by {column}: ask for their recommendations with \
                 anonymous_id; if the shop knows its customers by these ids, name {column} as \
                 the column of user_id",
                column = visitors.columns.join(",")
            ));
        }
        if plan.fill_down {
            let note = "rows without a time take customer, time and status from the first row of \
                        their order";
            notes.push(note.to_owned());
        }
        for field in &plan.rules.integer_ids {
            notes.push(format!("{} is written as 123.0 and read as 123", field.as_str()));
        }
        Self {
            sources: formats.iter().map(source).collect(),
            problem: None,
            columns: columns.clone(),
            fields: plan.fields.clone(),
            ignored_columns: plan.ignored.clone(),
            order_by: plan.order_by,
            timezone: plan.timezone.clone(),
            rows: tally.rows,
            lines: tally.lines,
            first_rows: tally.shown.clone(),
            rejected: tally.rejected,
            reasons: tally.reasons(),
            other_events: tally.other_events.clone(),
            stock_corrections: tally.stock_corrections,
            lines_without_customer: tally.without_customer,
            service_codes,
            first_ms: tally.first_ms,
            last_ms: tally.last_ms,
            notes,
            mapping: plan.mapping().to_text(),
        }
    }
}
