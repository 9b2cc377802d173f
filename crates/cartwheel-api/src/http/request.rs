//! Reads JSON bodies, queries and path parameters, with a problem for each error.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, Path, Query, Request};
use axum::http::header;
use axum::http::request::Parts;
use bytes::Bytes;
use cartwheel_events::{ID_EXPECTED, ProductId, UserId};
use cartwheel_placements::NAME_EXPECTED;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::body::Bodies;
use crate::http::problem::{Kind, Problem};

/// The media type of a body, in lower case and without parameters.
pub(crate) fn media_type(request: &Request) -> String {
    let value = request.headers().get(header::CONTENT_TYPE);
    let text = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The problem for a media type other than `expected`.
pub(crate) fn unsupported(media: &str, expected: &str) -> Problem {
    let shown: String = media.chars().take(64).collect();
    let detail = if shown.is_empty() {
        "The request has no content type.".to_owned()
    } else {
        format!("The content type {shown} is not supported here.")
    };
    Problem {
        field: Some("content-type".to_owned()),
        expected: Some(expected.to_owned()),
        ..Problem::new(Kind::UnsupportedMediaType, detail)
    }
}

/// Reads a JSON body.
pub(crate) async fn json<T: DeserializeOwned>(
    request: Request,
    bodies: &Bodies,
) -> Result<T, Problem> {
    parse(&json_bytes(request, bodies).await?)
}

/// Reads the bytes of a JSON body.
pub(crate) async fn json_bytes(request: Request, bodies: &Bodies) -> Result<Bytes, Problem> {
    let media = media_type(&request);
    if !is_json(&media) {
        return Err(unsupported(&media, "application/json"));
    }
    bodies.read(request).await
}

/// Whether a media type is JSON.
pub(crate) fn is_json(media: &str) -> bool {
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// Whether a media type is NDJSON: one JSON value a line.
pub(crate) fn is_ndjson(media: &str) -> bool {
    ["application/x-ndjson", "application/ndjson", "application/jsonl"].contains(&media)
}

/// Maximum number of values in a body. A value of two bytes occupies many times as much
/// memory once it is parsed.
const MAX_VALUES: usize = 50_000;

/// Estimates the number of values in JSON by counting its commas. The parser bounds the depth.
fn values(bytes: &[u8]) -> usize {
    let (mut count, mut in_text, mut escaped) = (1, false, false);
    for &byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b',' if !in_text => count += 1,
            _ => {}
        }
    }
    count
}

/// Parses JSON. An error names its field.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    // A shorter text cannot contain so many.
    if bytes.len() > MAX_VALUES && values(bytes) > MAX_VALUES {
        return Err(Problem {
            expected: Some(format!("at most {MAX_VALUES} values")),
            ..Problem::new(
                Kind::PayloadTooLarge,
                "The body contains more values than the server accepts.",
            )
        });
    }
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    // Once more, to name the field: keeping track of it takes as long as parsing.
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if !error.is_data() {
            return Problem::new(Kind::MalformedJson, format!("The body is not JSON: {error}."));
        }
        let detail = error.to_string();
        // serde names a missing field only in the message, an unknown one also in the path.
        let named = detail.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let field = match named {
            Some(name) if path == "." => name.to_owned(),
            Some(name) => format!("{path}.{name}"),
            None if path == "." => String::new(),
            None => path,
        };
        let expected = detail.split_once(", expected ").map(|(_, rest)| rest);
        let expected = expected.unwrap_or("a value as documented");
        let expected = expected.split(" at line ").next().unwrap_or(expected).to_owned();
        Problem::field(field.chars().take(128).collect::<String>(), detail, expected)
    })?;
    reader
        .end()
        .map_err(|_| Problem::new(Kind::MalformedJson, "There is extra text after the JSON."))?;
    Ok(value)
}

/// The parameters of the query. A handler takes each of them once.
#[derive(Debug)]
pub(crate) struct Params(HashMap<String, String>);

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        Query::from_request_parts(parts, state)
            .await
            .map(|Query(map)| Self(map))
            .map_err(|_| Problem::field("query", "The query cannot be read.", "name=value&…"))
    }
}

impl Params {
    /// Takes a number within a range.
    pub(crate) fn number(
        &mut self,
        name: &str,
        default: usize,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<usize, Problem> {
        let Some(text) = self.0.remove(name) else { return Ok(default) };
        text.parse().ok().filter(|n| range.contains(n)).ok_or_else(|| {
            let expected = format!("a number from {} to {}", range.start(), range.end());
            Problem::field(name, format!("{name} is out of range."), expected)
        })
    }

    /// Takes `true` or `false`.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Problem> {
        match self.0.remove(name).as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::field(name, format!("{name} is not a flag."), "true or false")),
        }
    }

    /// Takes a text whose length the handler checks.
    pub(crate) fn long_text(&mut self, name: &str) -> Option<String> {
        self.0.remove(name).filter(|text| !text.is_empty())
    }

    /// Takes a text of at most 200 characters.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>, Problem> {
        match self.0.remove(name) {
            Some(text) if text.chars().count() > 200 => {
                Err(Problem::field(name, format!("{name} is too long."), "at most 200 characters"))
            }
            text => Ok(text.filter(|text| !text.is_empty())),
        }
    }

    /// Rejects parameters that the handler did not take.
    pub(crate) fn end(self, known: &str) -> Result<(), Problem> {
        match self.0.into_keys().next() {
            None => Ok(()),
            Some(name) => {
                let name: String = name.chars().take(64).collect();
                Err(Problem::field(&name, format!("{name} is not a parameter."), known))
            }
        }
    }
}

/// A user's id from the path.
#[derive(Debug)]
pub(crate) struct UserPath(pub(crate) UserId);

/// A product's id from the path.
#[derive(Debug)]
pub(crate) struct ProductPath(pub(crate) ProductId);

async fn path_text<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<String, Problem> {
    Path::from_request_parts(parts, state)
        .await
        .map(|Path(text)| text)
        .map_err(|_| Problem::field("id", "The path is not UTF-8.", ID_EXPECTED))
}

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        UserId::new(path_text(parts, state).await?)
            .map(Self)
            .map_err(|e| Problem::field("id", format!("The user's id {e}."), ID_EXPECTED))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ProductPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        ProductId::new(path_text(parts, state).await?)
            .map(Self)
            .map_err(|e| Problem::field("id", format!("The product's id {e}."), ID_EXPECTED))
    }
}

/// The name of a placement from the path. Whether there is such a placement is for the handler.
#[derive(Debug)]
pub(crate) struct PlacementPath(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PlacementPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = path_text(parts, state).await;
        let invalid = |_| Problem::field("name", "The path is not UTF-8.", NAME_EXPECTED);
        name.map(Self).map_err(invalid)
    }
}

/// The name of a run, a model or a table from the path.
#[derive(Debug)]
pub(crate) struct NamePath(pub(crate) String);

/// Longest name, in bytes.
const LONGEST_NAME: usize = 128;

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // An impossible name is simply not found.
        let unknown = || Problem::new(Kind::NotFound, "Nothing has that name.");
        let name = path_text(parts, state).await.map_err(|_| unknown())?;
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let possible = name.len() <= LONGEST_NAME && name.bytes().all(letter);
        // Names become parts of file paths.
        let possible = possible && !name.is_empty() && !name.starts_with('.');
        if possible { Ok(Self(name)) } else { Err(unknown()) }
    }
}
