//! Answers where no route matches: the files of the web app, and problems.

use axum::extract::State;
use axum::http::{HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};

use crate::http::problem::{Kind, Problem};
use crate::state::Shared;

/// Pages of the web app begin with one of these; each is `index.html`, which routes in
/// the browser.
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
        let detail = "There is nothing at this path; /docs lists what there is.";
        return Problem::new(Kind::NotFound, detail).into_response();
    };
    // Files below assets/ carry a hash of their content in their names.
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

/// Names of files as the build gives them: nothing encoded, no way out of their folder.
fn is_plain(path: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    path.bytes().all(letter) && !path.split('/').any(|part| part == "..")
}

/// The path exists, the method does not.
pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}.", uri.path());
    Problem::new(Kind::MethodNotAllowed, detail)
}
