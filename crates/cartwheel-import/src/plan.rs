//! The decision how sources are read: from the sample of the first one and the mapping given.

use cartwheel_events::EventKind;
use jiff::tz::TimeZone;

use crate::error::ImportError;
use crate::field::Field;
use crate::line::Rules;
use crate::mapping::{Columns, Mapping, OrderBy};
use crate::number::{decimal_of, without_fraction};
use crate::recognise::{Recognised, Sample, date_order_of, recognise};
use crate::time::{DateOrder, TimeReader, is_short_date};

/// What an import expects of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Lines of orders. Without a column of events, every row is a purchase.
    Orders,
    /// Events: a column says what happened.
    Events,
}

/// How the rows of all sources are read.
pub(crate) struct Plan {
    pub fields: Vec<Recognised>,
    pub rules: Rules,
    pub order_by: OrderBy,
    /// Columns of the sample that mean nothing to the import.
    pub ignored: Vec<String>,
    /// Whether a row takes customer, time and status from the row before it, if it belongs to the
    /// same order and has no time.
    pub fill_down: bool,
    /// The time zone of times without one.
    pub timezone: String,
    /// What is assumed.
    pub notes: Vec<String>,
}

impl Plan {
    /// Makes the plan for a source named `name`.
    pub(crate) fn new(
        name: &str,
        sample: &Sample,
        content: Content,
        given: &Mapping,
        timezone: &str,
        now_ms: i64,
    ) -> Result<Self, ImportError> {
        let problem = |text: String| ImportError::mapping(name, text);
        let timezone = given.timezone.as_deref().unwrap_or(timezone).to_owned();
        let zone = TimeZone::get(&timezone);
        let zone = zone.map_err(|error| ImportError::Options(format!("timezone: {error}")))?;
        let order = given.date_order.unwrap_or_default();
        let times = TimeReader::new(zone, order);
        let mut fields = recognise(sample, given, &times).map_err(problem)?;
        let mut mapping = given.clone();
        let notes = assume(content, &mut fields, &mut mapping);
        let columns = |field: Field| -> &[String] {
            let found = fields.iter().find(|recognised| recognised.field == field);
            found.map_or(&[], |recognised| &recognised.columns)
        };
        require(sample, content, &mapping, &columns).map_err(problem)?;
        let order = if order == DateOrder::Unknown {
            date_order_of(sample, columns(Field::Time))
        } else {
            order
        };
        let is_open = |text: &&str| is_short_date(text) && times.read(text).is_none();
        let open = columns(Field::Time).iter().flat_map(|column| sample.values(column));
        let open = open.into_iter().find(is_open);
        if order == DateOrder::Unknown
            && let Some(date) = open
        {
            return Err(problem(format!(
                "{date:?} may begin with the day or with the month: give the date_order, dmy or \
                 mdy"
            )));
        }
        let numbers = [Field::Quantity, Field::Price];
        let numbers = numbers.iter().flat_map(|field| columns(*field));
        let decimal = decimal_of(numbers.flat_map(|column| sample.values(column)));
        let ids = [Field::UserId, Field::AnonymousId, Field::ProductId, Field::OrderId];
        let integer_ids =
            ids.into_iter().filter(|field| are_integers(sample, columns(*field))).collect();
        let is_used = |column: &String| fields.iter().any(|f| f.columns.contains(column));
        Ok(Self {
            ignored: sample.columns.iter().filter(|column| !is_used(column)).cloned().collect(),
            fill_down: fills_down(sample, &columns),
            order_by: given.order_by.unwrap_or_default(),
            rules: Rules {
                times: times.with_order(order),
                decimal,
                has_prices: !columns(Field::Price).is_empty(),
                integer_ids,
                now_ms,
                mapping,
            },
            fields,
            timezone,
            notes,
        })
    }

    /// The mapping with everything that was recognised, to be saved.
    pub(crate) fn mapping(&self) -> Mapping {
        let columns = self.fields.iter();
        let columns = columns.map(|f| (f.field, Columns(f.columns.clone()))).collect();
        let order = self.rules.times.order();
        Mapping {
            columns,
            timezone: Some(self.timezone.clone()),
            date_order: Some(order).filter(|order| *order != DateOrder::Unknown),
            order_by: Some(self.order_by),
            ..self.rules.mapping.clone()
        }
    }
}

/// Assumes what data of clicks leaves out: a session without a customer is a guest of its own, and
/// events without a kind, a quantity, a price and an order are views. Returns what is assumed.
fn assume(content: Content, fields: &mut Vec<Recognised>, mapping: &mut Mapping) -> Vec<String> {
    let mut notes = Vec::new();
    if content != Content::Events {
        return notes;
    }
    let has = |fields: &[Recognised], field: Field| fields.iter().any(|f| f.field == field);
    let is_named = mapping.columns.contains_key(&Field::UserId);
    let session = fields.iter().find(|found| found.field == Field::SessionId).cloned();
    if let Some(session) = session
        && !is_named
        && !has(fields, Field::UserId)
        && !has(fields, Field::AnonymousId)
    {
        notes.push("no column names a customer: each session is a guest of its own".to_owned());
        fields.push(Recognised { field: Field::AnonymousId, ..session });
    }
    let is_bare = [Field::Event, Field::Quantity, Field::Price, Field::OrderId]
        .into_iter()
        .all(|field| !has(fields, field));
    if is_bare && !mapping.events.contains_key("") {
        notes.push("no column says what happened: every row is a view".to_owned());
        mapping.events.insert(String::new(), EventKind::View.as_str().to_owned());
    }
    notes
}

/// Checks that the required fields have columns.
fn require<'a>(
    sample: &Sample,
    content: Content,
    given: &Mapping,
    columns: &impl Fn(Field) -> &'a [String],
) -> Result<(), String> {
    let has = |field: Field| !columns(field).is_empty();
    let all = sample.columns.join(", ");
    for (field, what) in [
        (Field::ProductId, "the product"),
        (Field::Time, "the time"),
        (Field::UserId, "the customer"),
    ] {
        // A mapping without columns says that the customers are not known.
        let is_left_out = field == Field::UserId
            && (given.columns.contains_key(&field) || has(Field::AnonymousId));
        if !has(field) && !is_left_out {
            let name = field.as_str();
            let hint = if field == Field::UserId {
                ", or leave it out if the customers are unknown"
            } else {
                ""
            };
            return Err(format!(
                "no column is recognised as {what}: name the column of {name}{hint}; the columns \
                 are: {all}"
            ));
        }
    }
    if content == Content::Events && !has(Field::Event) && !given.events.contains_key("") {
        return Err(format!(
            "no column says what happened: name the column of event, say which event every row is, \
             or import orders instead of events if every row is a purchase; the columns are: {all}"
        ));
    }
    Ok(())
}

/// Whether all values of the columns end in `.0`.
fn are_integers(sample: &Sample, columns: &[String]) -> bool {
    let mut values = columns.iter().flat_map(|column| sample.values(column)).peekable();
    values.peek().is_some() && values.all(|value| without_fraction(value) != value)
}

/// Whether only the first row of an order has its time.
fn fills_down<'a>(sample: &Sample, columns: &impl Fn(Field) -> &'a [String]) -> bool {
    let place = |field: Field| {
        let column = columns(field).first()?;
        sample.columns.iter().position(|name| name == column)
    };
    let (Some(order), Some(time)) = (place(Field::OrderId), place(Field::Time)) else {
        return false;
    };
    sample.rows.windows(2).any(|rows| {
        let [before, row] = rows else { return false };
        row[time].is_empty() && !row[order].is_empty() && row[order] == before[order]
    })
}
