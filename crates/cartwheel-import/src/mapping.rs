//! Mappings: which columns mean what. A mapping is given on the command line, in a file or by a
//! preset; what it leaves open is recognised.

use std::collections::BTreeMap;

use cartwheel_events::EventKind;
use serde::{Deserialize, Serialize};

use crate::error::ImportError;
use crate::field::Field;
use crate::time::DateOrder;

/// Mappings that come with the program, by name.
const PRESETS: [(&str, &str); 3] = [
    ("shopify-orders", include_str!("presets/shopify-orders.toml")),
    ("woocommerce-orders", include_str!("presets/woocommerce-orders.toml")),
    ("ga4-bigquery", include_str!("presets/ga4-bigquery.toml")),
];

/// In a mapping of events: leave these rows out.
const IGNORE: &str = "ignore";

/// The columns of a field. The first one with a value counts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "OneOrMore", into = "OneOrMore")]
pub struct Columns(pub Vec<String>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMore> for Columns {
    fn from(columns: OneOrMore) -> Self {
        Self(match columns {
            OneOrMore::One(column) if column.is_empty() => Vec::new(),
            OneOrMore::One(column) => vec![column],
            OneOrMore::More(columns) => columns,
        })
    }
}

impl From<Columns> for OneOrMore {
    fn from(Columns(mut columns): Columns) -> Self {
        match columns.as_slice() {
            [] => Self::One(String::new()),
            // Alone, an empty name leaves the field out.
            [column] if !column.is_empty() => Self::One(columns.remove(0)),
            _ => Self::More(columns),
        }
    }
}

/// How lines without an order id become orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderBy {
    /// A customer's purchases of a local day are an order.
    #[default]
    Day,
    /// A customer's purchases with the same time are an order.
    Time,
}

/// Which columns mean what, and how their values are read.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Columns by field. A nested value of JSON or Parquet has a path such as `user.id`, and a
    /// value of each element of a list one such as `items[].sku`. A field with an empty name is
    /// not recognised either.
    pub columns: BTreeMap<Field, Columns>,
    /// The kind of event for each value of `event`, or `ignore`. Values that are not named here
    /// are understood if they are usual names. The empty value stands for rows without one, which
    /// are purchases otherwise.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, String>,
    /// Values of `status` with which an order did not come about or was given back.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<String>,
    /// Values of `user_id` that mean that the customer is unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub no_customer: Vec<String>,
    /// The IANA time zone of times without a zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The order of day and month in dates such as `3/4/2026`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_order: Option<DateOrder>,
    /// How lines without an order id become orders.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_by: Option<OrderBy>,
}

impl Mapping {
    /// The names of the presets.
    pub fn presets() -> impl Iterator<Item = &'static str> {
        PRESETS.into_iter().map(|(name, _)| name)
    }

    /// The preset of that name.
    ///
    /// # Errors
    /// When there is no such preset; the error names those that exist.
    pub fn preset(name: &str) -> Result<Self, ImportError> {
        let Some((_, text)) = PRESETS.into_iter().find(|(preset, _)| *preset == name) else {
            let names: Vec<&str> = Self::presets().collect();
            let problem = format!("there is no preset {name}; there are {}", names.join(", "));
            return Err(ImportError::Options(problem));
        };
        Self::parse(text)
    }

    /// Reads a mapping in the form of a file.
    ///
    /// # Errors
    /// When the text is not TOML, or names a field or a kind of event that does not exist.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        let mapping: Self = toml::from_str(text)
            .map_err(|error| ImportError::Options(format!("the mapping: {error}")))?;
        mapping.check()?;
        Ok(mapping)
    }

    /// The mapping in the form of a file.
    pub fn to_text(&self) -> String {
        // A struct of strings and lists always serialises.
        toml::to_string_pretty(self).unwrap_or_default()
    }

    /// Adds `user_id=customer` from the command line. Several columns are separated by commas.
    ///
    /// # Errors
    /// When the text has another form or names no field.
    pub fn assign(&mut self, text: &str) -> Result<(), ImportError> {
        let fields = || Field::ALL.map(Field::as_str).join(", ");
        let Some((name, columns)) = text.split_once('=') else {
            let problem = format!("--map {text}: expected FIELD=COLUMN, such as user_id=customer");
            return Err(ImportError::Options(problem));
        };
        let Some(field) = Field::parse(name.trim()) else {
            let problem =
                format!("--map {text}: {name} is not a field; the fields are {}", fields());
            return Err(ImportError::Options(problem));
        };
        let columns = columns.split(',').map(str::trim).filter(|column| !column.is_empty());
        self.columns.insert(field, Columns(columns.map(str::to_owned).collect()));
        Ok(())
    }

    /// Takes everything that `over` says over this mapping.
    pub fn overlay(&mut self, over: Self) {
        self.columns.extend(over.columns);
        self.events.extend(over.events);
        self.undone.extend(over.undone);
        self.no_customer.extend(over.no_customer);
        self.timezone = over.timezone.or(self.timezone.take());
        self.date_order = over.date_order.or(self.date_order);
        self.order_by = over.order_by.or(self.order_by);
    }

    fn check(&self) -> Result<(), ImportError> {
        for (name, kind) in &self.events {
            if kind != IGNORE && EventKind::parse(kind).is_none() {
                let kinds = EventKind::ALL.map(EventKind::as_str).join(", ");
                let problem =
                    format!("events.{name} = {kind:?}: expected one of {kinds} or {IGNORE}");
                return Err(ImportError::Options(problem));
            }
        }
        Ok(())
    }

    /// The kind of event that a value of `event` means. `None` if such rows are left out.
    pub(crate) fn event(&self, name: &str) -> Option<EventKind> {
        match self.events.get(name) {
            Some(kind) => EventKind::parse(kind),
            None => usual_event(name),
        }
    }
}

/// The kind of event that a usual name means.
pub(crate) fn usual_event(name: &str) -> Option<EventKind> {
    if let Some(kind) = EventKind::parse(name) {
        // Neither tells anything without the answers of this server.
        let is_history = !matches!(kind, EventKind::GetRecommendations | EventKind::Impression);
        return is_history.then_some(kind);
    }
    Some(match crate::field::plain(name).as_str() {
        "view" | "views" | "productview" | "productviewed" | "viewitem" | "viewproduct"
        | "detail" | "detailview" | "itemview" | "viewed" | "pv" => EventKind::View,
        "addtocart" | "cart" | "carts" | "productadded" | "cartadd" | "addcart" | "addedtocart" => {
            EventKind::AddToCart
        }
        "removefromcart" | "productremoved" | "cartremove" | "removecart" => {
            EventKind::RemoveFromCart
        }
        "checkout" | "purchase" | "purchased" | "order" | "ordercompleted" | "ordered" | "buy"
        | "bought" | "transaction" | "sale" | "sold" | "orderplaced" => EventKind::Checkout,
        "return" | "returned" | "refund" | "refunded" | "orderrefunded" | "cancellation"
        | "creditnote" | "credit" | "chargeback" => EventKind::Return,
        "searched" | "sitesearch" | "productsearch" | "productssearched" | "viewsearchresults"
        | "searchperformed" => EventKind::Search,
        "identified" | "login" | "loggedin" | "signedin" | "userloggedin" => EventKind::Identify,
        _ => return None,
    })
}

/// Whether an order with a usual status did not come about, or was given back.
pub(crate) fn is_usually_undone(status: &str) -> bool {
    let plain = crate::field::plain(status);
    let status = plain.strip_prefix("wc").unwrap_or(&plain);
    matches!(
        status,
        "refunded"
            | "cancelled"
            | "canceled"
            | "voided"
            | "failed"
            | "returned"
            | "chargeback"
            | "expired"
            | "declined"
            | "trash"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_valid_and_is_read_back_from_its_own_text() {
        for name in Mapping::presets() {
            let preset = Mapping::preset(name).unwrap();
            assert_eq!(Mapping::parse(&preset.to_text()).unwrap(), preset, "{name}");
        }
        let error = Mapping::preset("magento").unwrap_err().to_string();
        assert!(error.contains("shopify-orders"), "{error}");
    }

    #[test]
    fn a_wrong_mapping_says_what_is_expected() {
        let error = |text: &str| Mapping::parse(text).unwrap_err().to_string();
        assert!(error("[columns]\ncolour = \"x\"").contains("colour"));
        assert!(error("[events]\nlook = \"glance\"").contains("expected one of view, "));
        let mut mapping = Mapping::default();
        assert!(mapping.assign("sku").unwrap_err().to_string().contains("FIELD=COLUMN"));
        assert!(mapping.assign("colour=x").unwrap_err().to_string().contains("product_id"));
    }

    #[test]
    fn the_command_line_is_taken_over_a_preset() {
        let mut mapping = Mapping::preset("shopify-orders").unwrap();
        let mut given = Mapping::default();
        given.assign("user_id=Customer Id, Email").unwrap();
        mapping.overlay(given);
        let columns = &mapping.columns[&Field::UserId];
        assert_eq!(columns.0, ["Customer Id", "Email"]);
        assert_eq!(mapping.event("Order Completed"), Some(EventKind::Checkout));
        assert_eq!(mapping.event("begin_checkout"), None);
    }
}
