//! Checks a document before it is stored.

use cartwheel_filter::{Expression, Source};

use crate::kind::Kind;
use crate::placement::{Dials, MAX_EXPLORED, Placement, Placements};

/// Most placements of a document.
pub const MAX_PLACEMENTS: usize = 100;
/// Most fallbacks of a placement.
pub const MAX_FALLBACK: usize = 8;
/// Most lists of a placement's chain, its own among them.
pub const MAX_CHAIN: usize = 12;
/// What a name may be.
pub const NAME_EXPECTED: &str =
    "1 to 32 of a-z, 0-9, _ and -, the first of them a letter, and neither history nor undo";

/// Names that are paths of the API.
const RESERVED: [&str; 2] = ["history", "undo"];
/// Longest name, in bytes.
const LONGEST_NAME: usize = 32;

/// Whether a text can be the name of a placement.
pub fn is_name(text: &str) -> bool {
    let rest = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(rest)
        && !RESERVED.contains(&text)
}

/// Why a document is refused: a field of one of its placements, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", self.path())]
pub struct InvalidPlacement {
    /// The placement; empty if the document as a whole is refused.
    pub placement: String,
    /// Its field, such as `fallback[1]`; empty for its name.
    pub field: String,
    /// What is wrong: a sentence.
    pub detail: String,
    /// What is accepted.
    pub expected: String,
    /// The character of a filter where the problem begins, from 1.
    pub position: Option<usize>,
}

impl InvalidPlacement {
    /// The field as a path in the document, such as `placements.home.fallback[1]`.
    pub fn path(&self) -> String {
        let parts = ["placements", &self.placement, &self.field];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
    }

    fn new(
        placement: &str,
        field: impl Into<String>,
        detail: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            placement: placement.to_owned(),
            field: field.into(),
            detail: detail.into(),
            expected: expected.into(),
            position: None,
        }
    }
}

impl Placements {
    /// Checks names, limits, filters and fallbacks.
    ///
    /// # Errors
    /// The first field that is not valid.
    pub fn check(&self) -> Result<(), InvalidPlacement> {
        if self.placements.len() > MAX_PLACEMENTS {
            let detail = format!("There are {} placements.", self.placements.len());
            return Err(InvalidPlacement::new("", "", detail, "at most 100 placements"));
        }
        for (name, placement) in &self.placements {
            self.check_one(name, placement)?;
        }
        // Chains are followed only once every name in them is known.
        self.placements.keys().try_for_each(|name| self.check_chain(name))
    }

    fn check_one(&self, name: &str, placement: &Placement) -> Result<(), InvalidPlacement> {
        let shown: String = name.chars().take(64).collect();
        let invalid = |field: String, detail: String, expected: String| {
            Err(InvalidPlacement::new(&shown, field, detail, expected))
        };
        if !is_name(name) {
            let detail = format!("{shown:?} cannot name a placement.");
            return invalid(String::new(), detail, NAME_EXPECTED.to_owned());
        }
        if let Some(kind) = Kind::named(name).filter(|kind| *kind != placement.kind) {
            let detail = format!("A placement named {kind} has to be of the kind {kind}.");
            return invalid("kind".to_owned(), detail, format!("{kind}, or another name"));
        }
        let most = placement.max_limit();
        if !(1..=most).contains(&placement.limit) {
            let expected = format!("a number from 1 to {most}");
            return invalid("limit".to_owned(), "limit is out of range.".to_owned(), expected);
        }
        if let Some(filter) = &placement.filter {
            check_filter(name, filter)?;
        }
        let Dials { calibration, variety } = placement.diversity;
        for (dial, value) in [("calibration", calibration), ("variety", variety)] {
            if !(0.0..=1.0).contains(&value) {
                let (field, detail) = (format!("diversity.{dial}"), format!("{dial} is {value}."));
                return invalid(field, detail, "a number from 0 to 1".to_owned());
            }
        }
        let slots = placement.explore.slots;
        let most = if placement.kind.is_open() { placement.limit.min(MAX_EXPLORED) } else { 0 };
        if slots > most {
            let detail = format!("explore.slots is {slots}.");
            let expected = match most {
                0 => format!("0, because a list of the kind {} names its products", placement.kind),
                most => format!("a number from 0 to {most}"),
            };
            return invalid("explore.slots".to_owned(), detail, expected);
        }
        if placement.fallback.len() > MAX_FALLBACK {
            let detail = format!("fallback has {} entries.", placement.fallback.len());
            return invalid("fallback".to_owned(), detail, "at most 8 entries".to_owned());
        }
        for (at, entry) in placement.fallback.iter().enumerate() {
            let field = format!("fallback[{at}]");
            let shown: String = entry.chars().take(64).collect();
            if Kind::named(entry).is_none() && !self.placements.contains_key(entry) {
                let detail = format!("{shown:?} is neither a kind nor a placement.");
                return invalid(field, detail, self.fallbacks_for(name));
            }
            if placement.fallback[..at].contains(entry) {
                return invalid(
                    field,
                    format!("{shown} is given twice."),
                    "each name once".to_owned(),
                );
            }
        }
        Ok(())
    }

    /// What the fallbacks of a placement can be, for people.
    fn fallbacks_for(&self, name: &str) -> String {
        let kinds = Kind::NAMES.iter().map(|(kind, _)| *kind);
        let others = self.placements.keys().map(String::as_str);
        let others = others.filter(|other| *other != name && Kind::named(other).is_none());
        let names: Vec<&str> = kinds.chain(others).collect();
        format!("one of {}", names.join(", "))
    }

    /// Checks that the fallbacks of a placement do not lead back to it, and end.
    fn check_chain(&self, name: &str) -> Result<(), InvalidPlacement> {
        if let Some(circle) = self.circle(name) {
            let detail = format!("The fallbacks lead in a circle: {}.", circle.join(" → "));
            let expected = "fallbacks that do not lead back to the placement";
            return Err(InvalidPlacement::new(name, "fallback", detail, expected));
        }
        let length = self.chain(name).len();
        if length > MAX_CHAIN {
            let detail = format!("With its fallbacks, the placement has {length} lists.");
            return Err(InvalidPlacement::new(name, "fallback", detail, "at most 12 lists"));
        }
        Ok(())
    }

    /// The names from a placement back to itself, if its fallbacks lead there.
    fn circle<'a>(&'a self, name: &'a str) -> Option<Vec<&'a str>> {
        let mut visited: Vec<&str> = Vec::new();
        // Each entry is a path from `name`.
        let mut paths: Vec<Vec<&str>> = vec![vec![name]];
        while let Some(path) = paths.pop() {
            let fallback = path.last().and_then(|last| self.placements.get(*last));
            for next in fallback.into_iter().flat_map(|placement| &placement.fallback) {
                let longer = || [&path[..], &[next.as_str()]].concat();
                if next == name {
                    return Some(longer());
                }
                if self.placements.contains_key(next) && !visited.contains(&next.as_str()) {
                    visited.push(next);
                    paths.push(longer());
                }
            }
        }
        None
    }
}

fn check_filter(name: &str, filter: &str) -> Result<(), InvalidPlacement> {
    Expression::check(filter, Source::Shopper).map_err(|error| InvalidPlacement {
        position: Some(error.position()),
        ..InvalidPlacement::new(
            name,
            "filter",
            format!("{error}\n{}", error.excerpt()),
            error.expected(),
        )
    })
}
