//! Answers requests that match no route: files of the web app, or a problem.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::http::assets::Asset;
use crate::http::problem::{Kind, Problem};
use crate::state::Shared;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// First segments of the web app's pages. Each page is `index.html`; the browser routes.
const PAGES: [&str; 8] =
    ["", "aisle", "console", "department", "orders", "product", "search", "send"];

/// Answers a request that no route matches: with a page or a file of the web app, with the
/// app's own "not found" page for a browser, or with a problem document.
pub(crate) async fn fallback(
    State(state): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let page = PAGES.contains(&first) || path == "index.html";
    let assets = state.assets.filter(|_| matches!(method, Method::GET | Method::HEAD));
    let found = match assets {
        Some(assets) if page => assets("index.html"),
        Some(assets) if is_plain(path) => assets(path),
        _ => None,
    };
    if let Some(asset) = found {
        return serve(asset, path, &headers);
    }
    // Below /v1 there is only the API, whoever asks.
    let app = assets.filter(|_| first != "v1" && accepts_html(&headers));
    if let Some(index) = app.and_then(|assets| assets("index.html")) {
        return (StatusCode::NOT_FOUND, file(index, NO_CACHE)).into_response();
    }
    let detail = "There is nothing at this path; /docs lists every route.";
    Problem::new(Kind::NotFound, detail).into_response()
}

/// The tag for pages of other sites. Unlike a page, it may be an hour old.
const TAG: &str = "cartwheel.js";
const NO_CACHE: &str = "no-cache";

fn serve(asset: Asset, path: &str, headers: &HeaderMap) -> Response {
    // Names below assets/ contain a hash of the content.
    if path.starts_with("assets/") {
        return file(asset, "public, max-age=31536000, immutable");
    }
    let etag = format!("\"{}\"", hex::encode(&Sha256::digest(&asset.body)[..16]));
    let given = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let known = given.is_some_and(|given| {
        let mut tags = given.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
    });
    let cache = if path == TAG { "public, max-age=3600" } else { NO_CACHE };
    let mut response = file(asset, cache);
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Body::empty();
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(etag).ok().map(|etag| (header::ETAG, etag)));
    if path == TAG {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    }
    response
}

fn file(asset: Asset, cache: &'static str) -> Response {
    let mime = HeaderValue::try_from(&*asset.mime)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers =
        [(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    (headers, asset.body.into_owned()).into_response()
}

/// Whether the client names `text/html` among the media types that it accepts, as browsers
/// do when they open a page. `*/*` alone does not count: API clients send it.
fn accepts_html(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default();
        media_type.trim().eq_ignore_ascii_case("text/html")
    })
}

/// Whether `path` can be the name of a built file: nothing encoded, no way out of its folder.
fn is_plain(path: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.bytes().all(letter) && !path.split('/').any(|part| part == "..")
}

/// Answers a request with a method that its path does not support.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not support {method}.", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
