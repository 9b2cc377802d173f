//! The files of the web app.

use std::borrow::Cow;

use cartwheel_api::Asset;
use rust_embed::RustEmbed;

/// The built web app: embedded in release builds, read from its folder in development.
#[derive(RustEmbed)]
#[folder = "../../webapp/dist"]
#[allow_missing = true]
struct Web;

/// Finds a file of the web app by its path.
pub fn asset(path: &str) -> Option<Asset> {
    let file = Web::get(path)?;
    let mime = Cow::Owned(file.metadata.mimetype().to_owned());
    Some(Asset { body: file.data, mime })
}
