//! One key of the settings: its type, default, allowed values and meaning.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A key, described for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The area, such as `train`.
    pub area: &'static str,
    /// The name within its area, such as `max_depth`.
    pub name: &'static str,
    /// Name of the type.
    pub kind: &'static str,
    /// Which values of the type are allowed; `None` if all are.
    pub range: Option<String>,
    /// The default as TOML; `None` if the key is unset by default.
    pub default: Option<String>,
    /// What the key does.
    pub meaning: String,
}

impl Key {
    /// The key as the file has it, such as `train.max_depth`.
    pub fn path(&self) -> String {
        format!("{}.{}", self.area, self.name)
    }

    /// The environment variable, such as `CARTWHEEL_TRAIN_MAX_DEPTH`.
    pub fn variable(&self) -> String {
        format!("CARTWHEEL_{}_{}", self.area, self.name).to_ascii_uppercase()
    }

    /// What a value has to be, such as `an integer, 1 to 16`.
    pub fn expected(&self) -> String {
        expected(self.kind, self.range.as_deref())
    }
}

/// What a value of a type and a range has to be, such as `an integer, 1 to 16`.
pub fn expected(kind: &str, range: Option<&str>) -> String {
    let article = if kind.starts_with(['a', 'i']) { "an" } else { "a" };
    range.map_or_else(|| format!("{article} {kind}"), |range| format!("{article} {kind}, {range}"))
}

/// A type that a setting can have.
pub trait Kind {
    /// Name of the type in the reference and in errors.
    const NAME: &'static str;
}

macro_rules! kinds {
    ($($name:literal: $($type:ty),+;)+) => {
        $($(impl Kind for $type { const NAME: &'static str = $name; })+)+
    };
}

kinds! {
    "integer": u32, u64, usize;
    "number": f32, f64;
    "boolean": bool;
    "string": String;
    "list of strings": Vec<String>;
    "path": PathBuf;
    "address and port": SocketAddr;
}

impl<T: Kind> Kind for Option<T> {
    const NAME: &'static str = T::NAME;
}

/// Says what a value that is not allowed probably means.
type Advice<T> = Box<dyn Fn(&T) -> Option<String>>;

/// Which values of a type a key allows.
pub struct Rule<T> {
    /// The allowed values in words; `None` if all are allowed.
    pub range: Option<String>,
    /// Whether a value is allowed.
    pub allows: Box<dyn Fn(&T) -> bool>,
    /// What a value that is not allowed probably means, as a sentence.
    pub advice: Advice<T>,
}

impl<T> Rule<T> {
    /// Allows the values for which `allows` holds.
    pub fn new(range: impl Into<String>, allows: impl Fn(&T) -> bool + 'static) -> Self {
        Self { range: Some(range.into()), allows: Box::new(allows), ..any() }
    }

    /// Explains values that are not allowed.
    pub fn advising(self, advice: impl Fn(&T) -> Option<String> + 'static) -> Self {
        Self { advice: Box::new(advice), ..self }
    }
}

/// Allows every value of the type.
pub fn any<T>() -> Rule<T> {
    Rule { range: None, allows: Box::new(|_| true), advice: Box::new(|_| None) }
}

/// Allows values from `low` to `high`.
pub fn between<T: PartialOrd + Copy + Display + 'static>(low: T, high: T) -> Rule<T> {
    Rule::new(format!("{low} to {high}"), move |value| (low..=high).contains(value))
}

/// Allows `low` and larger values.
pub fn at_least<T: PartialOrd + Copy + Display + 'static>(low: T) -> Rule<T> {
    Rule::new(format!("{low} or more"), move |value| *value >= low)
}

/// Allows shares: above 0, at most 1.
pub fn share() -> Rule<f32> {
    Rule::new("above 0, at most 1", |value: &f32| *value > 0.0 && *value <= 1.0)
}

/// Allows finite numbers.
pub fn finite() -> Rule<f64> {
    Rule::new("finite", |value: &f64| value.is_finite())
}
