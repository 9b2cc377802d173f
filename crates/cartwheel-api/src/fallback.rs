//! Answers requests that match no route: files of the web app, or a problem.

use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::{Kind, Problem};
use crate::state::Shared;

/// First segments of the web app's pages. Each page is `index.html`; the browser routes.
const PAGES: [&str; 7] = ["", "aisle", "console", "department", "product", "search", "send"];

pub(crate) async fn fallback(State(state): State<Shared>, method: Method, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let first = path.split('/').next().unwrap_or_default();
    let page = PAGES.contains(&first) || path == "index.html";
    let found = match (&method, state.assets) {
        (&Method::GET | &Method::HEAD, Some(assets)) if page || is_plain(path) => {
            assets(if page { "index.html" } else { path })
        }
        _ => None,
    };
    let Some(asset) = found else {
        let detail = "There is nothing at this path; /docs lists every route.";
        return Problem::new(Kind::NotFound, detail).into_response();
    };
    // Names below assets/ contain a hash of the content.
    let cache = match path.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let mime = HeaderValue::try_from(&*asset.mime)
        .unwrap_or(HeaderValue::from_static("application/octet-stream"));
    let headers =
        [(header::CONTENT_TYPE, mime), (header::CACHE_CONTROL, HeaderValue::from_static(cache))];
    (headers, asset.body.into_owned()).into_response()
}

/// Whether a path is a plain file name: nothing encoded, and no way out of its folder.
fn is_plain(path: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.bytes().all(letter) && !path.split('/').any(|part| part == "..")
}

/// Answers a request with a method that its path does not support.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not support {method}.", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
