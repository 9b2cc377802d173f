//! Parts of the OpenAPI document that many operations share: keys, limits, and the patterns of
//! path parameters.

use axum::http::Method;
use cartwheel_events::MAX_ID;
use utoipa::openapi::content::{Content, ContentBuilder};
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, Schema};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ComponentsBuilder, OpenApi, Ref, RefOr, ResponseBuilder};

use crate::access::scope::{Access, AccessTable, Audience};
use crate::http::problem::{Kind, Problem};

/// The pattern of an id, as `cartwheel_events::check_id` checks it.
pub(crate) const ID_PATTERN: &str = r"^[^\u0000-\u001f\u007f-\u009f]+$";

const JSON: &str = "application/json";
const PROBLEM: &str = "application/problem+json";

/// Bodies that reject unknown fields although they are parsed by hand.
const CLOSED: [&str; 3] = ["Event", "Item", "StartLakeJob"];

/// Completes the document that the handlers' annotations yield.
pub(crate) fn complete(document: &mut OpenApi, access: &AccessTable) {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [
            (Method::GET, &mut item.get),
            (Method::PUT, &mut item.put),
            (Method::POST, &mut item.post),
            (Method::PATCH, &mut item.patch),
            (Method::DELETE, &mut item.delete),
        ] {
            if let Some(operation) = operation {
                keys(operation, access.needed(&method, Some(path)));
                limits(operation);
                names(operation);
                problems(operation);
            }
        }
    }
    let components = document.components.get_or_insert_with(|| ComponentsBuilder::new().build());
    for name in CLOSED {
        if let Some(RefOr::T(schema)) = components.schemas.get_mut(name) {
            close(schema);
        }
    }
    let header = ApiKey::Header(ApiKeyValue::new("x-api-key"));
    components.add_security_scheme("key", SecurityScheme::ApiKey(header));
    let bearer = || HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
    let bearer_key = bearer().description(Some("The secret half of a key."));
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer_key.build()));
    let token = bearer().bearer_format("v1.CLAIMS.SIGNATURE");
    let token = token.description(Some("A token that the shop's server signs for one shopper."));
    components.add_security_scheme("token", SecurityScheme::Http(token.build()));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
    let basic = basic.description(Some("A key or token as the user name, without a password."));
    components.add_security_scheme("basic", SecurityScheme::Http(basic.build()));
    let publishable = ApiKeyValue::with_description(
        "x-api-key",
        "The publishable half of a key, for guests whose anonymous_id is random.",
    );
    let publishable = SecurityScheme::ApiKey(ApiKey::Header(publishable));
    components.add_security_scheme("publishable", publishable);
}

fn keys(operation: &mut Operation, access: Access) {
    let elsewhere = "a page of another site has sent the request";
    let Access::Needs(scope, audience) = access else {
        let refused = format!("A proxy stands before a server without keys, or {elsewhere}");
        return answers(operation, Kind::ForwardedWithoutKeys, &refused);
    };
    let by = |scheme: &str| SecurityRequirement::new(scheme, [scope.as_str()]);
    let mut security = vec![by("key"), by("bearer")];
    let mut refused = format!("The API key lacks the scope {scope}");
    if audience >= Audience::Tokens {
        security.push(by("token"));
        refused.push_str(", or the shopper token lacks it or is for another shopper");
    }
    if audience >= Audience::Guests {
        security.push(by("publishable"));
        refused.push_str("; a publishable key alone acts for guests only");
    }
    refused.push_str(&format!("; or {elsewhere}"));
    if operation.tags.iter().flatten().any(|tag| tag == "clients") {
        security.push(by("basic"));
    }
    operation.security = Some(security);
    answers(operation, Kind::Unauthorized, "The key or token is missing, unknown or expired");
    answers(operation, Kind::Forbidden, &refused);
}

fn limits(operation: &mut Operation) {
    answers(operation, Kind::Misdirected, "The server does not answer to this host");
    answers(operation, Kind::Throttled, "Too many requests; see Retry-After");
    answers(
        operation,
        Kind::Unavailable,
        "Temporarily unavailable, or the time limit was exceeded; see Retry-After",
    );
    if operation.request_body.is_some() {
        answers(operation, Kind::MalformedJson, "A field is not valid");
        answers(operation, Kind::SlowBody, "The body did not arrive in time");
        answers(operation, Kind::PayloadTooLarge, "The decoded body is too large");
        answers(
            operation,
            Kind::UnsupportedMediaType,
            "The content type or encoding is not supported",
        );
    }
}

/// Adds an answer to an operation unless the operation documents it itself.
fn answers(operation: &mut Operation, kind: Kind, description: &str) {
    let (_, status, _) = kind.parts();
    let responses = &mut operation.responses.responses;
    responses.entry(status.as_str().to_owned()).or_insert_with(|| {
        let problem = Ref::from_schema_name(<Problem as utoipa::ToSchema>::name());
        let content = ContentBuilder::new().schema(Some(problem)).build();
        let response = ResponseBuilder::new().description(description);
        RefOr::T(response.content(PROBLEM, content).build())
    });
}

fn names(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else { continue };
        if !matches!(parameter.parameter_in, ParameterIn::Path) || parameter.name != "id" {
            continue;
        }
        if let Some(RefOr::T(Schema::Object(text))) = &mut parameter.schema {
            text.pattern = Some(ID_PATTERN.to_owned());
            (text.min_length, text.max_length) = (Some(1), Some(MAX_ID));
        }
    }
}

/// Gives problems their own media type.
fn problems(operation: &mut Operation) {
    for response in operation.responses.responses.values_mut() {
        let RefOr::T(response) = response else { continue };
        let is_problem = |content: &RefOr<Content>| match content {
            RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) => {
                schema.ref_location.ends_with("/Problem")
            }
            _ => false,
        };
        if response.content.get(JSON).is_some_and(is_problem)
            && let Some(content) = response.content.shift_remove(JSON)
        {
            response.content.insert(PROBLEM.to_owned(), content);
        }
    }
}

fn close(schema: &mut Schema) {
    match schema {
        Schema::Object(object) => {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
        Schema::OneOf(choice) => {
            for item in &mut choice.items {
                if let RefOr::T(schema) = item {
                    close(schema);
                }
            }
        }
        _ => {}
    }
}
