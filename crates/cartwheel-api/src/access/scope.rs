//! What a key may do, and what each route needs.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use axum::http::Method;

use crate::access::key_error::KeyError;

/// A right that a key grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Send events.
    EventsWrite,
    /// Ask for recommendations, products and carts.
    RecommendationsRead,
    /// Change products, and see those that shoppers do not.
    CatalogueWrite,
    /// Everything: look at users, operate pipeline, models and lake.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 4] =
        [Self::EventsWrite, Self::RecommendationsRead, Self::CatalogueWrite, Self::Admin];

    /// The scope's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EventsWrite => "events:write",
            Self::RecommendationsRead => "recommendations:read",
            Self::CatalogueWrite => "catalogue:write",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(KeyError::Scope)
    }
}

/// The kinds of callers that a route admits, apart from the scope. Each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Audience {
    /// The secret half of a key.
    Keys,
    /// Shopper tokens.
    Tokens,
    /// Publishable keys, on behalf of a guest.
    Guests,
}

/// What a request needs to be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A credential of the audience that grants the scope, unless no key exists.
    Needs(Scope, Audience),
}

/// The access of a route that declares none.
const DEFAULT: Access = Access::Needs(Scope::Admin, Audience::Keys);

/// The access that each route needs. A route that is not in the table needs an admin.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessTable(HashMap<String, Vec<(Method, Access)>>);

impl AccessTable {
    /// Declares a route, such as `GET /v1/products/{id}`.
    pub(crate) fn declare(&mut self, method: Method, route: &str, access: Access) {
        self.0.entry(route.to_owned()).or_default().push((method, access));
    }

    /// Adds the routes of another table.
    pub(crate) fn merge(&mut self, other: Self) {
        for (route, methods) in other.0 {
            self.0.entry(route).or_default().extend(methods);
        }
    }

    /// The access that a request needs. `route` is the matched route, if any.
    pub(crate) fn needed(&self, method: &Method, route: Option<&str>) -> Access {
        // A browser sends OPTIONS before it sends a key.
        if method == Method::OPTIONS {
            return Access::Open;
        }
        let Some(route) = route else {
            // The files of the web app.
            return if method.is_safe() { Access::Open } else { DEFAULT };
        };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let declared = self.0.get(route).into_iter().flatten();
        let found = declared.into_iter().find(|(declared, _)| declared == method);
        found.map_or(DEFAULT, |(_, access)| *access)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undeclared_route_needs_an_admin() {
        let mut table = AccessTable::default();
        table.declare(Method::GET, "/a", Access::Open);
        assert_eq!(table.needed(&Method::GET, Some("/a")), Access::Open);
        assert_eq!(table.needed(&Method::HEAD, Some("/a")), Access::Open);
        assert_eq!(table.needed(&Method::POST, Some("/a")), DEFAULT);
        assert_eq!(table.needed(&Method::GET, Some("/b")), DEFAULT);
        assert_eq!(table.needed(&Method::GET, None), Access::Open);
        assert_eq!(table.needed(&Method::PUT, None), DEFAULT);
        assert_eq!(table.needed(&Method::OPTIONS, Some("/b")), Access::Open);
    }
}
