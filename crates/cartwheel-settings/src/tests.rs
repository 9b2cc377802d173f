//! The lists of settings and variables against the rest of the repository.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Settings;
use super::key::Key;
use super::variables;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Folders that hold what was built or installed.
const SKIPPED: [&str; 7] =
    [".git", ".terraform", ".venv", "dist", "node_modules", "target", "__pycache__"];

/// Calls `found` for each text file below a folder.
fn for_each_file(folder: &Path, found: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        if path.is_dir() {
            if !SKIPPED.iter().any(|skipped| name.starts_with(skipped)) {
                for_each_file(&path, found);
            }
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            found(&path, &text);
        }
    }
}

/// Each `CARTWHEEL_*` name of scripts, infrastructure, functions and code is a setting or is
/// listed. The binary would refuse the others as unknown.
#[test]
fn every_variable_of_the_repository_is_known() {
    let known: BTreeSet<String> = Settings::keys()
        .iter()
        .map(Key::variable)
        .chain(variables::all().map(|variable| variable.name.to_owned()))
        .collect();
    let mut unknown = BTreeSet::new();
    for folder in
        ["scripts", "infra", "lambdas", "glue", "bench", "webapp", "clients", "packaging", "crates"]
    {
        for_each_file(&root().join(folder), &mut |path, text| {
            // Tests of the settings misspell names on purpose.
            if path.ends_with("cartwheel-settings/src/load.rs")
                || path.ends_with("acceptance/settings.rs")
            {
                return;
            }
            for rest in text.split("CARTWHEEL_").skip(1) {
                let name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                let end = rest.find(|c| !name(c)).unwrap_or(rest.len());
                let variable = format!("CARTWHEEL_{}", &rest[..end]);
                // A prefix alone, as in `CARTWHEEL_*`, is not a name.
                if end > 0 && !known.contains(&variable) {
                    unknown.insert((variable, path.to_owned()));
                }
            }
        });
    }
    assert_eq!(
        unknown,
        BTreeSet::new(),
        "add them to variables.rs or table.rs of cartwheel-settings"
    );
}

/// The documents name existing settings only.
#[test]
fn every_setting_in_the_documents_exists() {
    let keys: BTreeSet<String> = Settings::keys().iter().map(Key::path).collect();
    let areas: BTreeSet<&str> = Settings::keys().iter().map(|key| key.area).collect();
    let mut missing = BTreeSet::new();
    let mut check = |path: &Path, text: &str| {
        for code in text.split('`').skip(1).step_by(2) {
            let path_of_key = code.split([' ', '=']).next().unwrap_or_default();
            let Some((area, name)) = path_of_key.split_once('.') else { continue };
            let is_name = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            let is_file = ["rs", "md", "json", "toml", "html", "js", "redb"].contains(&name);
            if areas.contains(area) && is_name && !is_file && !keys.contains(path_of_key) {
                missing.insert(format!("{path_of_key} in {}", path.display()));
            }
        }
    };
    for_each_file(&root().join("docs"), &mut |path, text| {
        if path.extension().is_some_and(|extension| extension == "md") {
            check(path, text);
        }
    });
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let path = root().join(name);
        check(&path, &std::fs::read_to_string(&path).unwrap());
    }
    assert_eq!(missing, BTreeSet::new());
}
