//! Where the products of a placement come from, one list after the other.

use crate::kind::Kind;
use crate::placement::Placements;

/// A list of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<'a> {
    /// The kind of list.
    pub kind: Kind,
    /// The filters that its products have to fulfil: that of the placement, and those of the
    /// placements that led to this list.
    pub filters: Vec<&'a str>,
}

impl Placements {
    /// The lists that fill a placement, in order: its own kind, then its fallbacks, each with what
    /// follows from it. A placement whose name a fallback gives is passed through once. Empty if
    /// there is no such placement.
    pub fn chain(&self, name: &str) -> Vec<Step<'_>> {
        let mut chain = Chain { all: self, visited: Vec::new(), steps: Vec::new() };
        chain.follow(name, &[]);
        chain.steps
    }
}

struct Chain<'a> {
    all: &'a Placements,
    visited: Vec<&'a str>,
    steps: Vec<Step<'a>>,
}

impl<'a> Chain<'a> {
    fn follow(&mut self, name: &str, filters: &[&'a str]) {
        let Some((name, placement)) = self.all.placements.get_key_value(name) else { return };
        if self.visited.contains(&name.as_str()) {
            return;
        }
        self.visited.push(name);
        let mut filters = filters.to_vec();
        filters.extend(placement.filter.as_deref());
        self.push(placement.kind, &filters);
        for name in &placement.fallback {
            match Kind::named(name) {
                Some(kind) if !self.all.placements.contains_key(name) => self.push(kind, &filters),
                _ => self.follow(name, &filters),
            }
        }
    }

    fn push(&mut self, kind: Kind, filters: &[&'a str]) {
        let step = Step { kind, filters: filters.to_vec() };
        if !self.steps.contains(&step) {
            self.steps.push(step);
        }
    }
}
