//! The fields of a line, and the names that exports give them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What a column means. The names in mappings and on the command line are those of
/// [`Field::as_str`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Field {
    /// The customer.
    UserId,
    /// The visitor, before and beside a login.
    AnonymousId,
    /// The product.
    ProductId,
    /// When it happened.
    Time,
    /// The kind of action.
    Event,
    /// The order that a line belongs to.
    OrderId,
    /// The id of the event.
    EventId,
    /// The visitor's session.
    SessionId,
    /// Number of pieces. A negative number is a return.
    Quantity,
    /// Price of one piece.
    Price,
    /// The product's name.
    ProductName,
    /// The product's category, or its path of categories.
    Category,
    /// The state of the order, such as `refunded`.
    Status,
    /// The text of a search.
    Query,
}

/// Number of fields.
pub(crate) const FIELDS: usize = 14;

impl Field {
    /// Every field, in the order of their recognition.
    pub const ALL: [Self; FIELDS] = [
        Self::UserId,
        Self::AnonymousId,
        Self::ProductId,
        Self::Time,
        Self::Event,
        Self::OrderId,
        Self::EventId,
        Self::SessionId,
        Self::Quantity,
        Self::Price,
        Self::ProductName,
        Self::Category,
        Self::Status,
        Self::Query,
    ];

    /// The field's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::AnonymousId => "anonymous_id",
            Self::ProductId => "product_id",
            Self::Time => "time",
            Self::Event => "event",
            Self::OrderId => "order_id",
            Self::EventId => "event_id",
            Self::SessionId => "session_id",
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::ProductName => "product_name",
            Self::Category => "category",
            Self::Status => "status",
            Self::Query => "query",
        }
    }

    /// The field of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == name)
    }

    /// Names of columns that mean this field, without case and punctuation. An earlier name is a
    /// better match than a later one.
    pub(crate) fn names(self) -> &'static [&'static str] {
        match self {
            Self::UserId => &[
                "userid",
                "customerid",
                "customernumber",
                "customerno",
                "custid",
                "clientid",
                "buyerid",
                "memberid",
                "accountid",
                "shopperid",
                "householdkey",
                "customer",
                "client",
                "buyer",
                "user",
                "member",
                "shopper",
                "kundennummer",
                "kundenid",
                "kundennr",
                "kunde",
                "idclient",
                "clienteid",
                "cliente",
                "customeremail",
                "email",
                "billingemail",
                "useremail",
            ],
            Self::AnonymousId => &[
                "anonymousid",
                "userpseudoid",
                "visitorid",
                "fullvisitorid",
                "guestid",
                "clientid",
                "deviceid",
                "cookieid",
                "visitor",
            ],
            Self::ProductId => &[
                "productid",
                "sku",
                "lineitemsku",
                "itemsku",
                "productsku",
                "stockcode",
                "productcode",
                "itemid",
                "itemcode",
                "articleid",
                "articlenumber",
                "articleno",
                "materialnumber",
                "variantid",
                "productids",
                "product",
                "item",
                "article",
                "artikelnummer",
                "artikelnr",
                "artikel",
                "idproduit",
                "produit",
                "producto",
                "upc",
                "ean",
                "gtin",
                "isbn",
                "asin",
                "lineitemname",
            ],
            Self::Time => &[
                "timestamp",
                "time",
                "eventtime",
                "eventtimestamp",
                "datetime",
                "orderedat",
                "orderdate",
                "ordertime",
                "orderpurchasetimestamp",
                "createdat",
                "datecreatedgmt",
                "datecreated",
                "purchasedate",
                "purchasedat",
                "invoicedate",
                "transactiondate",
                "transactiontime",
                "tdat",
                "saledate",
                "occurredat",
                "receivedatms",
                "timestampms",
                "ts",
                "date",
                "bestelldatum",
                "datum",
                "zeit",
                "fecha",
                "eventdate",
            ],
            Self::Event => &[
                "event",
                "eventtype",
                "eventname",
                "action",
                "actiontype",
                "behavior",
                "behaviour",
                "behaviortype",
                "activity",
                "interaction",
                "interactiontype",
                "kind",
                "type",
                "ereignis",
            ],
            Self::OrderId => &[
                "orderid",
                "orderno",
                "ordernumber",
                "invoiceno",
                "invoiceid",
                "invoice",
                "invoicenumber",
                "transactionid",
                "ecommercetransactionid",
                "receiptid",
                "receiptno",
                "basketid",
                "checkoutid",
                "purchaseid",
                "salesorder",
                "documentno",
                "order",
                "bestellnummer",
                "bestellnr",
                "rechnungsnummer",
                "commande",
                "pedido",
            ],
            Self::EventId => &["eventid", "messageid", "eventuuid", "insertid"],
            Self::SessionId => &[
                "sessionid",
                "session",
                "usersession",
                "visitid",
                "visit",
                "gasessionid",
                "sitzung",
            ],
            Self::Quantity => &[
                "quantity",
                "quantities",
                "qty",
                "productqty",
                "lineitemquantity",
                "itemquantity",
                "count",
                "pieces",
                "units",
                "unitssold",
                "qtyordered",
                "menge",
                "anzahl",
                "quantite",
                "cantidad",
            ],
            Self::Price => &[
                "price",
                "unitprice",
                "prices",
                "lineitemprice",
                "itemprice",
                "productprice",
                "priceeach",
                "saleprice",
                "preis",
                "einzelpreis",
                "prix",
                "precio",
            ],
            Self::ProductName => &[
                "productname",
                "itemname",
                "lineitemname",
                "description",
                "producttitle",
                "itemtitle",
                "title",
                "itemdescription",
                "productdescription",
                "name",
                "bezeichnung",
                "artikelbezeichnung",
                "produktname",
                "libelle",
                "nombre",
            ],
            Self::Category => &[
                "category",
                "productcategory",
                "itemcategory",
                "categorypath",
                "categoryname",
                "categorycode",
                "categories",
                "department",
                "kategorie",
                "warengruppe",
                "categorie",
            ],
            Self::Status => &[
                "status",
                "orderstatus",
                "financialstatus",
                "paymentstatus",
                "state",
                "bestellstatus",
            ],
            Self::Query => &[
                "query",
                "searchterm",
                "searchquery",
                "searchtext",
                "searchphrase",
                "searchterms",
                "searchstring",
                "suchbegriff",
            ],
        }
    }
}

/// A column's name without case and punctuation.
pub(crate) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The names under which a column may be known. A column such as `items[].id` is also `itemid`
/// and, because it belongs to a list of products, `id`.
pub(crate) fn known_as(column: &str) -> Vec<String> {
    let mut names = vec![plain(column)];
    let steps: Vec<&str> = column.split('.').collect();
    if let [.., parent, last] = steps.as_slice() {
        let list = parent.strip_suffix("[]");
        let one = list.map_or(*parent, |list| list.strip_suffix('s').unwrap_or(list));
        names.push(plain(&format!("{one}{last}")));
        if list.is_some() {
            names.push(plain(last));
        }
    }
    names
}

/// The cells of a row, by field. An empty cell is a missing value.
#[derive(Debug, Clone)]
pub(crate) struct Cells<'a>([Cow<'a, str>; FIELDS]);

impl Default for Cells<'_> {
    fn default() -> Self {
        Self([const { Cow::Borrowed("") }; FIELDS])
    }
}

impl<'a> Cells<'a> {
    pub(crate) fn get(&self, field: Field) -> &str {
        &self.0[field as usize]
    }

    pub(crate) fn set(&mut self, field: Field, value: impl Into<Cow<'a, str>>) {
        self.0[field as usize] = value.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_index_and_name() {
        for (at, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!(field as usize, at);
            assert_eq!(Field::parse(field.as_str()), Some(field));
        }
    }

    #[test]
    fn nested_columns_are_known_by_their_parent() {
        assert_eq!(known_as("items[].id"), ["itemsid", "itemid", "id"]);
        assert_eq!(known_as("customer.id"), ["customerid", "customerid"]);
        assert_eq!(known_as("Lineitem sku"), ["lineitemsku"]);
    }
}
