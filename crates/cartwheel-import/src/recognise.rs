//! Recognising what columns mean, by their names and a sample of their content.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::delimited::is_missing;
use crate::field::{Field, known_as, plain};
use crate::mapping::{Columns, Mapping, usual_event};
use crate::number::{Decimal, number};
use crate::time::{DateOrder, TimeReader, date_order, is_short_date};

/// The first rows of a source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sample {
    pub columns: Vec<String>,
    /// Cells by row and column.
    pub rows: Vec<Vec<String>>,
}

impl Sample {
    fn at(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|name| name == column)
    }

    /// The values of a column, without cells that hold none.
    pub(crate) fn values<'a>(&'a self, column: &str) -> impl Iterator<Item = &'a str> {
        let at = self.at(column);
        let cells = self.rows.iter().filter_map(move |row| row.get(at?).map(|cell| cell.trim()));
        cells.filter(|cell| !is_missing(cell))
    }

    /// The share of a column's values for which `is` holds; 0 without values.
    fn share(&self, column: &str, is: impl Fn(&str) -> bool) -> f64 {
        let (mut all, mut some) = (0_u32, 0_u32);
        for value in self.values(column) {
            all += 1;
            some += u32::from(is(value));
        }
        if all == 0 { 0.0 } else { f64::from(some) / f64::from(all) }
    }
}

/// How the columns of a field were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// The mapping says so.
    Given,
    /// The column has a usual name.
    Name,
    /// The column's content tells.
    Content,
}

/// A field and its columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recognised {
    /// The field.
    pub field: Field,
    /// Its columns. The first one with a value counts.
    pub columns: Vec<String>,
    /// How they were found.
    pub how: How,
}

/// The name of a column that names a customer, or a visitor in the terms of Google Analytics.
const CLIENT: &str = "clientid";
/// Names that mean something else where they are not those of a list's elements.
const IN_LISTS: [&str; 2] = ["name", "title"];
/// Names of columns of events that often mean something else.
const VAGUE: [&str; 3] = ["type", "kind", "action"];

/// Recognises the fields that `given` leaves open.
///
/// # Errors
/// A sentence that says which column is missing and what to do.
pub(crate) fn recognise(
    sample: &Sample,
    given: &Mapping,
    times: &TimeReader,
) -> Result<Vec<Recognised>, String> {
    let mut found = Vec::new();
    for (&field, Columns(columns)) in &given.columns {
        let known: Vec<String> =
            columns.iter().filter(|column| sample.at(column).is_some()).cloned().collect();
        // JSON leaves out what is null, so that a sample need not have every column.
        let has_paths = sample.columns.iter().any(|column| column.contains(['.', '[']));
        if !columns.is_empty() && known.is_empty() && !has_paths {
            let (wanted, columns) = (columns.join(", "), sample.columns.join(", "));
            let field = field.as_str();
            return Err(format!("{field} is mapped to {wanted}, but the columns are: {columns}"));
        }
        let columns = if known.is_empty() { columns.clone() } else { known };
        found.push(Recognised { field, columns, how: How::Given });
    }
    let mut open = Open { sample, times, found };
    for field in Field::ALL {
        open.by_name(field);
    }
    for field in [Field::Time, Field::Event, Field::UserId, Field::Price, Field::Quantity] {
        open.by_content(field);
    }
    let mut found = open.found;
    found.sort_by_key(|recognised| recognised.field);
    found.retain(|recognised| !recognised.columns.is_empty());
    Ok(found)
}

/// A recognition in progress.
struct Open<'a> {
    sample: &'a Sample,
    times: &'a TimeReader,
    found: Vec<Recognised>,
}

impl Open<'_> {
    fn has(&self, field: Field) -> bool {
        self.found.iter().any(|recognised| recognised.field == field)
    }

    fn is_used(&self, column: &str) -> bool {
        self.found.iter().any(|recognised| recognised.columns.iter().any(|used| used == column))
    }

    /// Finds the columns of a field by their names, the best name first.
    fn by_name(&mut self, field: Field) {
        if self.has(field) {
            return;
        }
        let mut matches: Vec<(usize, &String)> = self
            .sample
            .columns
            .iter()
            .filter(|column| !self.is_used(column) && self.fits(field, column))
            .filter_map(|column| Some((rank(field, column)?, column)))
            .collect();
        matches.sort();
        let Some(&(_, best)) = matches.first() else { return };
        let mut columns = vec![best.clone()];
        let is_list = best.contains("[]");
        for (_, other) in &matches[1..] {
            // Events may name products in one list or another.
            let is_other_list = is_list && other.contains("[]") && list_of(other) != list_of(best);
            if is_other_list {
                columns.push((*other).clone());
            }
        }
        self.found.push(Recognised { field, columns, how: How::Name });
    }

    /// Whether a column's content can be that of a field.
    fn fits(&self, field: Field, column: &str) -> bool {
        let share = |is: &dyn Fn(&str) -> bool| self.sample.share(column, is);
        match field {
            Field::UserId if plain(column) == CLIENT => share(&is_analytics_client) < 0.8,
            Field::AnonymousId if plain(column) == CLIENT => share(&is_analytics_client) >= 0.8,
            Field::Time => share(&|text| self.is_time(text)) >= 0.8,
            Field::Quantity | Field::Price => share(&is_number) >= 0.8,
            Field::Event if VAGUE.contains(&plain(column).as_str()) => {
                share(&|text| usual_event(text).is_some()) > 0.0
            }
            Field::ProductName | Field::Category => {
                share(&|text| text.contains(char::is_alphabetic)) >= 0.5
            }
            _ => true,
        }
    }

    /// Finds the column of a field by its content, if only one can be it.
    fn by_content(&mut self, field: Field) {
        if self.has(field) {
            return;
        }
        let is = |column: &&String| {
            let share = |is: &dyn Fn(&str) -> bool| self.sample.share(column, is) >= 0.95;
            let distinct = self.sample.values(column).collect::<BTreeSet<&str>>().len();
            match field {
                Field::Time => share(&|text| self.is_time(text)),
                Field::Event => distinct <= 20 && share(&|text| usual_event(text).is_some()),
                Field::UserId => share(&|text| text.contains('@')),
                Field::Price => share(&|text| is_number(text) && text.contains(['.', ','])),
                _ => distinct > 1 && share(&|text| whole_number(text).is_some_and(|n| n < 1000)),
            }
        };
        let unused = self.sample.columns.iter().filter(|column| !self.is_used(column));
        let all: Vec<&String> = unused.filter(is).collect();
        if let [only] = all.as_slice() {
            let columns = vec![(*only).clone()];
            self.found.push(Recognised { field, columns, how: How::Content });
        }
    }

    fn is_time(&self, text: &str) -> bool {
        is_short_date(text) || self.times.read(text).is_some()
    }
}

/// The place of a column's name among those of a field; a smaller one is a better match.
fn rank(field: Field, column: &str) -> Option<usize> {
    let is_list = column.contains("[]");
    let known = known_as(column);
    let names = field.names();
    let usable = |name: &&String| is_list || !IN_LISTS.contains(&name.as_str());
    let places = known.iter().filter(usable);
    places.filter_map(|name| names.iter().position(|known| known == name)).min()
}

/// The list that a column such as `items[].id` belongs to.
fn list_of(column: &str) -> Option<&str> {
    column.split_once("[]").map(|(list, _)| list)
}

/// Whether an id has the form in which Google Analytics names a browser: a random number and the
/// time of the first visit, as in `1713042985.1699999999` or `GA1.1.1713042985.1699999999`.
fn is_analytics_client(text: &str) -> bool {
    let mut numbers = text.rsplit('.');
    let mut is_long = || {
        let number = numbers.next().unwrap_or_default();
        number.len() > 5 && number.bytes().all(|b| b.is_ascii_digit())
    };
    is_long() && is_long()
}

fn is_number(text: &str) -> bool {
    number(text, Decimal::Point).is_some() || number(text, Decimal::Comma).is_some()
}

fn whole_number(text: &str) -> Option<i64> {
    text.parse::<i64>().ok().map(i64::abs)
}

/// The order of day and month that the sample of a column of times tells.
pub(crate) fn date_order_of(sample: &Sample, columns: &[String]) -> DateOrder {
    date_order(columns.iter().flat_map(|column| sample.values(column)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(header: &str, rows: &[&str]) -> Sample {
        let cells = |line: &str| line.split('|').map(str::to_owned).collect::<Vec<_>>();
        Sample { columns: cells(header), rows: rows.iter().map(|row| cells(row)).collect() }
    }

    fn recognised(sample: &Sample, given: &Mapping) -> Vec<(Field, String, How)> {
        let times = TimeReader::new(jiff::tz::TimeZone::UTC, DateOrder::Unknown);
        let found = recognise(sample, given, &times).unwrap();
        found.into_iter().map(|r| (r.field, r.columns.join("+"), r.how)).collect()
    }

    #[test]
    fn usual_names_are_recognised() {
        let retail = sample(
            "InvoiceNo|StockCode|Description|Quantity|InvoiceDate|UnitPrice|CustomerID|Country",
            &["536365|85123A|WHITE LANTERN|6|2010-12-01 08:26:00|2.55|17850.0|United Kingdom"],
        );
        let expected = [
            (Field::UserId, "CustomerID"),
            (Field::ProductId, "StockCode"),
            (Field::Time, "InvoiceDate"),
            (Field::OrderId, "InvoiceNo"),
            (Field::Quantity, "Quantity"),
            (Field::Price, "UnitPrice"),
            (Field::ProductName, "Description"),
        ];
        let expected = expected.map(|(field, column)| (field, column.to_owned(), How::Name));
        assert_eq!(recognised(&retail, &Mapping::default()), expected);

        let german = sample(
            "Kundennummer|Artikelnummer|Bezeichnung|Menge|Einzelpreis|Bestelldatum",
            &["7|A1|Tee|2|3,50|31.12.2025"],
        );
        assert_eq!(recognised(&german, &Mapping::default()).len(), 6);
    }

    #[test]
    fn content_tells_what_names_do_not() {
        let odd = sample(
            "who|sku|what|moment|paid|n",
            &["ada@x.org|p1|purchase|2025-01-01|1.50|2", "bob@x.org|p2|view|2025-01-02|2.25|1"],
        );
        let found = recognised(&odd, &Mapping::default());
        let column = |field| found.iter().find(|f| f.0 == field).map(|f| (f.1.as_str(), f.2));
        assert_eq!(column(Field::Time), Some(("moment", How::Content)));
        assert_eq!(column(Field::Event), Some(("what", How::Content)));
        assert_eq!(column(Field::UserId), Some(("who", How::Content)));
        assert_eq!(column(Field::Price), Some(("paid", How::Content)));
        assert_eq!(column(Field::Quantity), Some(("n", How::Content)));
    }

    #[test]
    fn cells_without_a_value_tell_nothing() {
        let rows = ["17.0|s|2025-01-01", "\\N|s|2025-01-01", "NULL|s|2025-01-01", " |s|"];
        let shop = sample("customer|sku|time", &rows);
        assert_eq!(shop.values("customer").collect::<Vec<_>>(), ["17.0"]);
    }

    #[test]
    fn a_name_does_not_count_against_its_content() {
        let odd = sample("user|product|date|type|time", &["u|p|soon|gift|2025-01-01"]);
        let found = recognised(&odd, &Mapping::default());
        assert!(found.iter().any(|f| f.0 == Field::Time && f.1 == "time"));
        assert!(!found.iter().any(|f| f.0 == Field::Event));
    }

    #[test]
    fn both_lists_of_products_count_and_a_visitor_is_no_customer() {
        let own = sample(
            "user_id|user_pseudo_id|event|items[].product_id|items[].quantity|product_ids[]|timestamp",
            &["u|v|view|p|2||1767225599000"],
        );
        let found = recognised(&own, &Mapping::default());
        let column = |field| found.iter().find(|f| f.0 == field).map(|f| f.1.as_str());
        assert_eq!(column(Field::ProductId), Some("items[].product_id+product_ids[]"));
        assert_eq!(column(Field::UserId), Some("user_id"));
        assert_eq!(column(Field::AnonymousId), Some("user_pseudo_id"));
    }

    #[test]
    fn a_client_is_a_customer_unless_its_ids_are_those_of_google_analytics() {
        for (id, expected) in [
            ("4711", Field::UserId),
            ("1713042985.1699999999", Field::AnonymousId),
            ("GA1.2.1713042985.1699999999", Field::AnonymousId),
        ] {
            let row = format!("{id}|s|2025-01-01");
            let found = recognised(&sample("client_id|sku|time", &[&row]), &Mapping::default());
            assert_eq!(found[0], (expected, "client_id".to_owned(), How::Name), "{id}");
        }
    }

    #[test]
    fn a_given_column_wins_and_has_to_exist() {
        let shop = sample("customer|sku|time|code", &["c|s|2025-01-01|x"]);
        let mut given = Mapping::default();
        given.assign("product_id=code").unwrap();
        let found = recognised(&shop, &given);
        assert!(found.contains(&(Field::ProductId, "code".to_owned(), How::Given)));
        given.assign("order_id=Order").unwrap();
        let times = TimeReader::new(jiff::tz::TimeZone::UTC, DateOrder::Unknown);
        let error = recognise(&shop, &given, &times).unwrap_err();
        assert!(error.contains("customer, sku, time, code"), "{error}");
    }
}
