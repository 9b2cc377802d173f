//! Reads the settings and explains everything that is wrong with them.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::key::Key;
use crate::nearest::nearest;
use crate::table::{Settings, Violation};
use crate::values::{Source, Values};
use crate::variables;

/// What all environment variables of the product begin with.
const PREFIX: &str = "CARTWHEEL_";
/// The default of `--config`.
const DEFAULT_FILE: &str = "cartwheel.toml";

/// Settings that cannot be used, with everything that is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSettings {
    /// One sentence or more for each problem: what, where, and what to do.
    pub problems: Vec<String>,
}

impl InvalidSettings {
    /// How many problems there are.
    pub fn summary(&self) -> String {
        match self.problems.len() {
            1 => "1 setting is wrong".to_owned(),
            problems => format!("{problems} settings are wrong"),
        }
    }
}

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.summary())?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for InvalidSettings {}

impl Settings {
    /// Reads the configuration file and the environment. The default file may be missing, a named
    /// file may not.
    ///
    /// # Errors
    /// Every unreadable file, unknown key and wrong value.
    pub fn read(file: Option<&Path>) -> Result<Self, InvalidSettings> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let content = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => None,
            content => Some((path.to_owned(), content.map_err(|error| error.to_string()))),
        };
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Self::from_sources(content, variables)
    }

    /// The configuration file that is read if none is named: the default one, if it exists.
    pub fn default_file() -> Option<PathBuf> {
        Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists())
    }

    /// Checks values that flags have changed.
    ///
    /// # Errors
    /// Every value that is not allowed.
    pub fn validate(&self) -> Result<(), InvalidSettings> {
        let keys = Self::keys();
        let wrong = self.check().into_iter();
        let problems: Vec<String> = wrong.map(|wrong| wrong_value(&keys, None, &wrong)).collect();
        if problems.is_empty() { Ok(()) } else { Err(InvalidSettings { problems }) }
    }

    /// Reads the settings from a file's content (or from the reason why it cannot be read) and
    /// from environment variables, which override the file.
    ///
    /// # Errors
    /// Every unknown key and wrong value.
    fn from_sources(
        file: Option<(PathBuf, Result<String, String>)>,
        variables: impl IntoIterator<Item = (String, OsString)>,
    ) -> Result<Self, InvalidSettings> {
        let keys = Self::keys();
        let mut values = Values::default();
        let mut problems = Vec::new();
        if let Some((path, content)) = file {
            match content
                .map_err(|error| format!("{}: {error}", path.display()))
                .and_then(|text| text.parse().map_err(|error| not_toml(&path, &text, &error)))
            {
                Ok(table) => values.add_file(&path, table),
                Err(problem) => problems.push(problem),
            }
        }
        let mut variables: Vec<(String, OsString)> =
            variables.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        variables.sort();
        for (name, value) in variables {
            if variables::all().any(|variable| variable.name == name) {
                continue;
            }
            match (keys.iter().find(|key| key.variable() == name), value.to_str()) {
                (Some(key), Some(text)) => values.add_variable(key.path(), &name, text),
                (Some(_), None) => problems.push(format!("{name} is not valid UTF-8")),
                (None, _) => problems.push(unknown_variable(&keys, &name)),
            }
        }
        let settings = Self::take(&mut values);
        problems.extend(values.unknown().map(|(key, source)| unknown_key(&keys, key, source)));
        for wrong in values.mistyped() {
            let (key, found) = (wrong.key.clone(), wrong.found.clone());
            let expected = keys.iter().find(|known| known.path() == key).map(Key::expected);
            let expected = expected.unwrap_or_default();
            let wrong = Violation { key, found, expected, advice: None };
            problems.push(wrong_value(&keys, values.source(&wrong.key), &wrong));
        }
        for wrong in settings.check() {
            problems.push(wrong_value(&keys, values.source(&wrong.key), &wrong));
        }
        if problems.is_empty() { Ok(settings) } else { Err(InvalidSettings { problems }) }
    }
}

fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    format!("{}, line {line}, is not valid TOML: {}", path.display(), error.message())
}

fn wrong_value(keys: &[Key], source: Option<&Source>, wrong: &Violation) -> String {
    let Violation { key: path, found, expected, advice } = wrong;
    let source = source.map(|source| format!(" {source}")).unwrap_or_default();
    let advice = advice.as_ref().map(|advice| format!(" {advice}")).unwrap_or_default();
    let default = keys.iter().find(|key| key.path() == *path).and_then(|key| key.default.as_ref());
    let default = default.map(|default| format!(" The default is {default}.")).unwrap_or_default();
    format!("{path}{source} is {found}: expected {expected}.{advice}{default}")
}

fn unknown_key(keys: &[Key], path: &str, source: &Source) -> String {
    let paths: Vec<String> = keys.iter().map(Key::path).collect();
    format!(
        "unknown setting {path} {source}: {}",
        advice(nearest(path, paths.iter().map(|p| &**p)))
    )
}

fn unknown_variable(keys: &[Key], name: &str) -> String {
    let names: Vec<String> = keys.iter().map(Key::variable).collect();
    let names = names.iter().map(String::as_str).chain(variables::all().map(|other| other.name));
    let names = names.filter_map(|name| name.strip_prefix(PREFIX));
    let near = nearest(name.trim_start_matches(PREFIX), names);
    let near = near.map(|name| format!("{PREFIX}{name}"));
    format!("unknown setting {name}: {}", advice(near.as_deref()))
}

fn advice(near: Option<&str>) -> String {
    near.map_or_else(
        || "`cartwheel config reference` lists all settings".to_owned(),
        |name| format!("did you mean {name}?"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str, variables: &[(&str, &str)]) -> Result<Settings, Vec<String>> {
        let file = Some((PathBuf::from("shop.toml"), Ok(file.to_owned())));
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
        Settings::from_sources(file, variables).map_err(|invalid| invalid.problems)
    }

    #[test]
    fn the_environment_overrides_the_file_and_the_file_overrides_the_defaults() {
        let file =
            "[train]\nmax_depth = 3\nrounds = 7\n[shop]\n[server]\ntls_cert = 'a'\ntls_key = 'b'\n";
        let variables = [
            ("CARTWHEEL_TRAIN_ROUNDS", "9"),
            ("CARTWHEEL_TRAIN_LIBRARY", "123"),
            ("CARTWHEEL_SERVER_LISTEN", "0.0.0.0:80"),
            ("CARTWHEEL_SERVER_CORS_ORIGINS", "[\"https://a.example\"]"),
            ("CARTWHEEL_RECOMMEND_WITHOUT", "visit, affinity"),
            ("CARTWHEEL_STREAM", "events"),
            ("HOME", "/"),
        ];
        let settings = read(file, &variables).unwrap();
        assert_eq!((settings.train.max_depth, settings.train.rounds), (3, 9));
        assert_eq!(settings.train.library, Some("123".into()));
        assert_eq!(settings.server.listen.to_string(), "0.0.0.0:80");
        assert_eq!(settings.server.cors_origins, ["https://a.example"]);
        assert_eq!(settings.recommend.without, ["visit", "affinity"]);
        assert_eq!((settings.train.eta, settings.shop.timezone.as_str()), (0.07, "UTC"));
    }

    #[test]
    fn every_problem_is_named_with_its_place_and_what_to_do() {
        let file = "listen = 1\n[train]\nmax_depth = 99\neta = 'fast'\ndepth = 3\n\
                    [api]\ncors_origins = []\n[gate.deep]\nx = 1\n[server]\ntls_key = 'key.pem'\n";
        let variables = [
            ("CARTWHEEL_API__LISTN", "1"),
            ("CARTWHEEL_DATADIR", "x"),
            ("CARTWHEEL_SERVER__LISTEN", "x"),
            ("CARTWHEEL_STREAM_SHARDS", "many"),
            ("CARTWHEEL_RECOMMEND_WITHOUT", "vist"),
            ("CARTWHEEL_NOTHING_LIKE_IT", "1"),
        ];
        let problems = read(file, &variables).unwrap_err();
        let expected = [
            "unknown setting CARTWHEEL_API__LISTN: did you mean CARTWHEEL_SERVER_LISTEN?",
            "unknown setting CARTWHEEL_DATADIR: did you mean CARTWHEEL_DATA_DIR?",
            "unknown setting CARTWHEEL_NOTHING_LIKE_IT: `cartwheel config reference` lists all \
             settings",
            "unknown setting CARTWHEEL_SERVER__LISTEN: did you mean CARTWHEEL_SERVER_LISTEN?",
            "unknown setting api.cors_origins in shop.toml: did you mean server.cors_origins?",
            "unknown setting gate.deep.x in shop.toml: `cartwheel config reference` lists all \
             settings",
            "unknown setting listen in shop.toml: did you mean server.listen?",
            "unknown setting train.depth in shop.toml: did you mean train.max_depth?",
            "stream.shards from CARTWHEEL_STREAM_SHARDS is \"many\": expected an integer, 1 to \
             256. The default is 4.",
            "train.eta in shop.toml is \"fast\": expected a number, above 0, at most 1. The \
             default is 0.07.",
            "recommend.without from CARTWHEEL_RECOMMEND_WITHOUT is [\"vist\"]: expected a list of \
             strings, some of seen, cart, search, visit, taste, next, affinity, content. For \
             \"vist\", did you mean \"visit\"? The default is [].",
            "train.max_depth in shop.toml is 99: expected an integer, 1 to 16. The default is 5.",
            "server.tls_cert is unset: expected a path, because server.tls_key is set.",
        ];
        assert_eq!(problems, expected);
    }

    #[test]
    fn a_file_that_is_not_toml_is_named_with_its_line() {
        let problems = read("[train]\n[server\n", &[]).unwrap_err();
        assert!(problems[0].starts_with("shop.toml, line 2, is not valid TOML: "), "{problems:?}");
    }
}
