//! The file of words that mean the same.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use cartwheel_engine::Synonyms;

/// Largest file in bytes.
const MAX_BYTES: u64 = 4 << 20;

/// Reads the file of `search.synonyms`; nothing means the same without one.
///
/// # Errors
/// When the file cannot be read, is too large, or has a line that is not valid.
pub fn synonyms(path: Option<&Path>) -> Result<Synonyms> {
    let Some(path) = path else { return Ok(Synonyms::default()) };
    let read = || -> Result<Synonyms> {
        let bytes = std::fs::metadata(path)?.len();
        ensure!(bytes <= MAX_BYTES, "the file has {bytes} bytes; at most {MAX_BYTES} are read");
        Ok(Synonyms::parse(&std::fs::read_to_string(path)?)?)
    };
    read().with_context(|| format!("search.synonyms: {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_setting_the_file_and_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("synonyms.txt");
        let error = |path: &Path| format!("{:#}", synonyms(Some(path)).unwrap_err());
        assert!(error(&path).starts_with("search.synonyms: "));
        std::fs::write(&path, "soda, pop\ntv =>\n").unwrap();
        let text = error(&path);
        assert!(text.contains("synonyms.txt: line 2: "), "{text}");
        std::fs::write(&path, "soda, pop\n").unwrap();
        assert_ne!(synonyms(Some(&path)).unwrap(), Synonyms::default());
        assert_eq!(synonyms(None).unwrap(), Synonyms::default());
    }
}
