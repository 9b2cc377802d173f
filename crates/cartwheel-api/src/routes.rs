//! Routes, each declared together with the access that it needs.

use std::collections::HashSet;

use axum::http::Method;
use axum::routing::MethodRouter;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use crate::access::scope::{Access, AccessTable, Audience, Scope};
use crate::state::Shared;

/// Documented routes with the access that each of them needs. This is the only way to add a
/// route, so that none is added without a decision.
#[derive(Default)]
pub(crate) struct Routes {
    pub(crate) router: OpenApiRouter<Shared>,
    pub(crate) access: AccessTable,
    /// Paths to which files are posted. Such a request takes as long as its body needs, and bounds
    /// that itself.
    pub(crate) uploads: HashSet<String>,
}

impl Routes {
    /// Adds routes that anyone may call.
    pub(crate) fn open(self, routes: UtoipaMethodRouter<Shared>) -> Self {
        self.add(Access::Open, routes)
    }

    /// Adds routes that need the secret half of a key with `scope`.
    pub(crate) fn scoped(self, scope: Scope, routes: UtoipaMethodRouter<Shared>) -> Self {
        self.add(Access::Needs(scope, Audience::Keys), routes)
    }

    /// Adds a route to which files are posted, with the secret half of a key with `scope`.
    pub(crate) fn uploads(mut self, scope: Scope, route: UtoipaMethodRouter<Shared>) -> Self {
        self.uploads.extend(route.1.paths.keys().cloned());
        self.scoped(scope, route)
    }

    /// Adds routes for browsers with a shopper token too. What concerns a shopper has to ask
    /// [`Caller::permit`](crate::access::caller::Caller::permit).
    pub(crate) fn for_tokens(self, scope: Scope, routes: UtoipaMethodRouter<Shared>) -> Self {
        self.add(Access::Needs(scope, Audience::Tokens), routes)
    }

    /// Adds routes for browsers with a shopper token or a publishable key too. They concern
    /// shoppers only, for each of which they have to ask
    /// [`Caller::permit`](crate::access::caller::Caller::permit).
    pub(crate) fn for_guests(self, scope: Scope, routes: UtoipaMethodRouter<Shared>) -> Self {
        self.add(Access::Needs(scope, Audience::Guests), routes)
    }

    /// Adds a `GET` route that anyone may call and that the document does not list.
    pub(crate) fn open_page(mut self, route: &str, page: MethodRouter<Shared>) -> Self {
        self.access.declare(Method::GET, route, Access::Open);
        Self { router: self.router.route(route, page), ..self }
    }

    /// Adds the routes of a part of the API.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.access.merge(other.access);
        self.uploads.extend(other.uploads);
        Self { router: self.router.merge(other.router), ..self }
    }

    fn add(mut self, access: Access, routes: UtoipaMethodRouter<Shared>) -> Self {
        for (route, item) in &routes.1.paths {
            for (method, operation) in [
                (Method::GET, &item.get),
                (Method::PUT, &item.put),
                (Method::POST, &item.post),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ] {
                if operation.is_some() {
                    self.access.declare(method, route, access);
                }
            }
        }
        Self { router: self.router.routes(routes), ..self }
    }
}
