//! Rules that contradict one another.

use cartwheel_events::ProductId;
use cartwheel_filter::Item;
use jiff::civil::Date;
use serde::Serialize;

use crate::checked::{Checked, Selector};
use crate::document::Action;
use crate::rule_set::RuleSet;

/// Most conflicts that are reported.
pub const MAX_CONFLICTS: usize = 100;

/// A contradiction between rules. They can be saved: the one that wins is in effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = RuleConflict))]
pub struct Conflict {
    /// Its kind.
    pub kind: ConflictKind,
    /// The ids of the rules, the one of higher precedence first.
    pub rules: Vec<String>,
    /// The rule that is in effect where both hold; null if both are, or none is.
    pub wins: Option<String>,
    /// A sentence that says why.
    pub reason: String,
}

/// The kinds of contradictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConflictKind {
    /// Two rules pin products to one place.
    SamePlace,
    /// A rule blocks every product that another pins.
    PinnedAndBlocked,
    /// A rule demands products that another blocks.
    DemandedAndBlocked,
    /// A rule demands more of the same products than another allows.
    TooMany,
    /// A rule boosts or buries products that another blocks.
    MovedAndBlocked,
    /// A rule boosts products that another buries.
    BoostedAndBuried,
    /// The scope of a rule has no day from today on.
    NeverHolds,
}

/// The products that the shop knows, by id.
pub type Known<'a> = dyn Fn(&ProductId) -> Option<Item<'a>> + 'a;

impl RuleSet {
    /// Contradictions between active rules that may hold for one request from `today` on, at most
    /// [`MAX_CONFLICTS`]. Two selections are compared by their text, and ids with a condition by
    /// the products that are `known` at `now_ms`, UTC milliseconds.
    pub fn conflicts(&self, today: Date, known: &Known<'_>, now_ms: i64) -> Vec<Conflict> {
        let coming = |checked: &&Checked| checked.rule.scope.comes(today);
        let never = self.rules.iter().filter(|checked| !coming(checked)).map(|checked| Conflict {
            kind: ConflictKind::NeverHolds,
            rules: vec![checked.rule.id.clone()],
            wins: None,
            reason: "Its dates and weekdays leave no day from today on.".to_owned(),
        });
        let coming: Vec<&Checked> = self.rules.iter().filter(coming).collect();
        let pairs = coming.iter().enumerate().flat_map(|(at, first)| {
            coming[at + 1..].iter().map(move |second| Pair { first, second, known, now_ms })
        });
        let pairs = pairs.filter(|pair| {
            let Pair { first, second, .. } = pair;
            first.rule.scope.meets(&second.rule.scope, today)
        });
        never.chain(pairs.filter_map(|pair| pair.conflict())).take(MAX_CONFLICTS).collect()
    }
}

/// Two rules, the first of which takes precedence.
struct Pair<'a, 'k> {
    first: &'a Checked,
    second: &'a Checked,
    known: &'a Known<'k>,
    now_ms: i64,
}

impl Pair<'_, '_> {
    fn conflict(&self) -> Option<Conflict> {
        let (first, second) = (&self.first.rule, &self.second.rule);
        let (kind, winner, reason) = self.contradiction()?;
        Some(Conflict {
            kind,
            rules: vec![first.id.clone(), second.id.clone()],
            wins: winner.map(|winner| winner.rule.id.clone()),
            reason,
        })
    }

    /// The kind of a contradiction, the rule in effect, and a sentence.
    fn contradiction(&self) -> Option<(ConflictKind, Option<&Checked>, String)> {
        let Self { first, second, .. } = *self;
        match (&first.rule.action, &second.rule.action) {
            (Action::Pin { place }, Action::Pin { place: other }) if place == other => {
                let reason = format!("Both pin a product to place {place}.");
                Some((ConflictKind::SamePlace, Some(first), reason))
            }
            (Action::Pin { .. }, Action::Block {}) | (Action::Block {}, Action::Pin { .. }) => {
                let (pin, block) = self.ordered(|action| matches!(action, Action::Pin { .. }));
                let reason = format!("{} blocks what {} pins.", block.rule.id, pin.rule.id);
                let is_all = self.covers(block, pin);
                is_all.then_some((ConflictKind::PinnedAndBlocked, Some(first), reason))
            }
            (Action::AtLeast { .. }, Action::Block {})
            | (Action::Block {}, Action::AtLeast { .. }) => {
                let (least, block) = self.ordered(|a| matches!(a, Action::AtLeast { .. }));
                let reason = format!(
                    "{} blocks what {} demands. A block is always in effect.",
                    block.rule.id, least.rule.id
                );
                let is_all = self.covers(block, least);
                is_all.then_some((ConflictKind::DemandedAndBlocked, Some(block), reason))
            }
            (Action::AtLeast { count: least }, Action::AtMost { count: most, .. })
            | (Action::AtMost { count: most, .. }, Action::AtLeast { count: least })
                if least > most =>
            {
                let (demand, limit) = self.ordered(|a| matches!(a, Action::AtLeast { .. }));
                // With `per`, there is room in other groups.
                let is_whole = matches!(limit.rule.action, Action::AtMost { per: None, .. });
                let reason = format!(
                    "{} demands {least} products of which {} allows {most}.",
                    demand.rule.id, limit.rule.id
                );
                let is_all = is_whole && self.covers(limit, demand);
                is_all.then_some((ConflictKind::TooMany, Some(first), reason))
            }
            (Action::Boost { .. } | Action::Bury { .. }, Action::Block {})
            | (Action::Block {}, Action::Boost { .. } | Action::Bury { .. }) => {
                let (block, moved) = self.ordered(|action| matches!(action, Action::Block {}));
                let reason = format!(
                    "{} has no effect on products that {} blocks.",
                    moved.rule.id, block.rule.id
                );
                let is_all = self.covers(block, moved);
                is_all.then_some((ConflictKind::MovedAndBlocked, Some(block), reason))
            }
            (Action::Boost { .. }, Action::Bury { .. })
            | (Action::Bury { .. }, Action::Boost { .. }) => {
                let is_all = self.covers(first, second) || self.covers(second, first);
                let reason = "One boosts what the other buries: both factors count.".to_owned();
                is_all.then_some((ConflictKind::BoostedAndBuried, None, reason))
            }
            _ => None,
        }
    }

    /// The rule whose action is of a kind, then the other one.
    fn ordered(&self, is_kind: impl Fn(&Action) -> bool) -> (&Checked, &Checked) {
        match is_kind(&self.first.rule.action) {
            true => (self.first, self.second),
            false => (self.second, self.first),
        }
    }

    /// Whether every product of `inner` is known to be one of `outer`.
    fn covers(&self, outer: &Checked, inner: &Checked) -> bool {
        let Some(outer) = &outer.products else { return true };
        match (outer, &inner.products) {
            (_, None) => false,
            (Selector::Ids(outer), Some(Selector::Ids(inner))) => inner.is_subset(outer),
            (Selector::Condition(outer), Some(Selector::Condition(inner))) => {
                outer.to_string() == inner.to_string()
            }
            (Selector::Condition(outer), Some(Selector::Ids(ids))) => ids.iter().all(|id| {
                let item = (self.known)(id);
                item.is_some_and(|item| outer.matches(&item, self.now_ms))
            }),
            (Selector::Ids(_), Some(Selector::Condition(_))) => false,
        }
    }
}
