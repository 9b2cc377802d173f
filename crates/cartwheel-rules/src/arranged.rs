//! A list after the rules.

/// A list, and what rules have done to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Arranged<'a> {
    /// The list.
    pub items: Vec<Placed<'a>>,
    /// Products that would be in the list without rules, and which a rule has put out of it.
    pub left_out: Vec<LeftOut<'a>>,
}

/// A product of the list.
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

/// A product that a rule has put out of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// Where it stands in the ranking that was given, from 0.
    pub rank: usize,
    /// The id of the rule.
    pub rule: &'a str,
}
