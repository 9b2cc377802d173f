//! A place of a list after the rules.

/// A product of a list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed<'a> {
    /// Where it stands in the ranking that was given, from 0.
    pub rank: usize,
    /// Present if a rule has put it at its place.
    pub moved_by: Option<Moved<'a>>,
}

/// A product's move. Products that only make room for others have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved<'a> {
    /// The id of the rule.
    pub rule: &'a str,
    /// Its place without rules, from 1.
    pub from: usize,
    /// Its place, from 1.
    pub to: usize,
}
