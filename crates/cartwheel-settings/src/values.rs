//! Raw values from the file and the environment, by key.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Value;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "in {}", path.display()),
            Self::Variable(name) => write!(f, "from {name}"),
        }
    }
}

/// A value that was not read yet.
#[derive(Debug, Clone)]
struct Raw {
    source: Source,
    /// The value, and how else it can be understood: a variable may be TOML, plain text, or texts
    /// separated by commas.
    readings: Vec<Value>,
}

/// Values by key. A later value of the same key replaces an earlier one.
#[derive(Debug, Default)]
pub struct Values {
    raw: BTreeMap<String, Raw>,
    sources: BTreeMap<String, Source>,
    mistyped: Vec<Mistyped>,
}

/// A value that does not have its key's type.
#[derive(Debug)]
pub struct Mistyped {
    /// The key, such as `train.max_depth`.
    pub key: String,
    /// The value as TOML.
    pub found: String,
}

impl Values {
    /// Adds every key of a configuration file.
    pub fn add_file(&mut self, path: &std::path::Path, table: toml::Table) {
        for (name, value) in table {
            self.add_from_file(path, name, value);
        }
    }

    fn add_from_file(&mut self, path: &std::path::Path, key: String, value: Value) {
        match value {
            Value::Table(table) if !table.is_empty() => {
                for (name, value) in table {
                    self.add_from_file(path, format!("{key}.{name}"), value);
                }
            }
            // An empty section sets nothing.
            Value::Table(_) => {}
            value => {
                let source = Source::File(path.to_owned());
                self.raw.insert(key, Raw { source, readings: vec![value] });
            }
        }
    }

    /// Adds the value of an environment variable.
    pub fn add_variable(&mut self, key: String, variable: &str, text: &str) {
        let as_toml = text.parse::<Value>().ok();
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let list = Value::Array(parts.map(|part| Value::String(part.to_owned())).collect());
        let plain = [Value::String(text.to_owned()), list];
        let readings = as_toml.into_iter().chain(plain).collect();
        let source = Source::Variable(variable.to_owned());
        self.raw.insert(key, Raw { source, readings });
    }

    /// Takes a key's value, or its default if the key is unset or has another type.
    pub fn take<T: DeserializeOwned>(&mut self, key: &str, default: T) -> T {
        let Some(raw) = self.raw.remove(key) else { return default };
        self.sources.insert(key.to_owned(), raw.source);
        let found = raw.readings.first().map_or_else(String::new, Value::to_string);
        let mut readings = raw.readings.into_iter();
        readings.find_map(|value| value.try_into().ok()).unwrap_or_else(|| {
            self.mistyped.push(Mistyped { key: key.to_owned(), found });
            default
        })
    }

    /// Where the value of a key that was taken comes from; `None` for a default.
    pub fn source(&self, key: &str) -> Option<&Source> {
        self.sources.get(key)
    }

    /// The taken values with a wrong type.
    pub fn mistyped(&self) -> &[Mistyped] {
        &self.mistyped
    }

    /// The keys that were not taken, with their sources.
    pub fn unknown(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.raw.iter().map(|(key, raw)| (key.as_str(), &raw.source))
    }
}
