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

/// What a request needs to be admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nothing.
    Open,
    /// A key that grants the scope, unless no key exists.
    Needs(Scope),
}

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
            return if method.is_safe() { Access::Open } else { Access::Needs(Scope::Admin) };
        };
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let declared = self.0.get(route).into_iter().flatten();
        let found = declared.into_iter().find(|(declared, _)| declared == method);
        found.map_or(Access::Needs(Scope::Admin), |(_, access)| *access)
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
        assert_eq!(table.needed(&Method::POST, Some("/a")), Access::Needs(Scope::Admin));
        assert_eq!(table.needed(&Method::GET, Some("/b")), Access::Needs(Scope::Admin));
        assert_eq!(table.needed(&Method::GET, None), Access::Open);
        assert_eq!(table.needed(&Method::PUT, None), Access::Needs(Scope::Admin));
        assert_eq!(table.needed(&Method::OPTIONS, Some("/b")), Access::Open);
    }
}
