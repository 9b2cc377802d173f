//! Reading which guests turned out to be users.

use std::io;
use std::path::Path;

use arrow_array::Array;
use cartwheel_events::UserId;
use rustc_hash::FxHashMap;

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{numbers, scan, texts};
use crate::lake::Lake;

/// The ties of guests to users. A guest's event belongs to the user of the newest tie until then;
/// an event before the first tie, to the user of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    /// By the guest's user id, such as `~7`: times and users, in order.
    by_guest: FxHashMap<String, Vec<(i64, String)>>,
}

impl Ties {
    /// Adds the tie of an event with both ids. Events may be added in any order, before
    /// [`Ties::sort`].
    pub fn add(&mut self, anonymous_id: &str, at_ms: i64, user_id: &str) {
        // An id that cannot be a guest's has no events.
        if let Ok(guest) = UserId::guest(anonymous_id) {
            let ties = self.by_guest.entry(guest.as_str().to_owned()).or_default();
            ties.push((at_ms, user_id.to_owned()));
        }
    }

    /// Puts the ties in order, once all of them are added.
    pub fn sort(&mut self) {
        for ties in self.by_guest.values_mut() {
            ties.sort_unstable();
            // Every event of a user who is logged in repeats the tie.
            ties.dedup_by(|later, earlier| later.1 == earlier.1);
        }
    }

    /// The user to whom an event of `shopper` at `at_ms`, UTC milliseconds, belongs. `None` if
    /// the shopper is no guest, or was never tied.
    pub fn user(&self, shopper: &str, at_ms: i64) -> Option<&str> {
        let ties = self.by_guest.get(shopper)?;
        let after = ties.partition_point(|(tied_ms, _)| *tied_ms <= at_ms);
        ties.get(after.saturating_sub(1)).map(|(_, user)| &**user)
    }

    /// A text that differs if a guest's event may belong to another user.
    pub fn fingerprint(&self) -> String {
        let mut ties: Vec<_> = self.by_guest.iter().collect();
        ties.sort_unstable();
        ties.into_iter().map(|(guest, ties)| format!("{guest} {ties:?}\n")).collect()
    }

    /// The guests, as user ids, that were ever tied to a user, in order.
    pub fn guests(&self, user_id: &str) -> Vec<&str> {
        let is_tied = |ties: &[(i64, String)]| ties.iter().any(|(_, user)| user == user_id);
        let tied = self.by_guest.iter().filter(|(_, ties)| is_tied(ties));
        let mut guests: Vec<&str> = tied.map(|(guest, _)| &**guest).collect();
        guests.sort_unstable();
        guests
    }
}

impl Lake {
    /// Reads the ties of all events, delivered and imported. Adds the parts that cannot be read to
    /// `problems`.
    ///
    /// # Errors
    /// When the folder of events cannot be listed.
    pub fn ties(&self, problems: &mut Vec<String>) -> Result<Ties, LakeError> {
        let read: PartsRead<Ties> = read_parts(|| self.table_files("events"), read)?;
        let PartsRead { content: mut ties, problems: unread } = read;
        for problem in unread {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        ties.sort();
        Ok(ties)
    }
}

/// Adds the ties of a part.
pub(super) fn read(path: &Path, ties: &mut Ties) -> io::Result<()> {
    // Most imported parts have no ties, which their smallest column tells.
    let mut has_ties = false;
    scan(path, Some(&["anonymous_id"]), |batch| {
        // Parts of earlier releases have no such column.
        has_ties |=
            texts(batch, "anonymous_id").is_ok_and(|guests| guests.null_count() < guests.len());
        Ok(())
    })?;
    if !has_ties {
        return Ok(());
    }
    let columns = ["user_id", "anonymous_id", "received_at_ms"];
    let mut found: Vec<(String, i64, String)> = Vec::new();
    scan(path, Some(&columns), |batch| {
        let guests = texts(batch, "anonymous_id")?;
        let (users, received) = (texts(batch, "user_id")?, numbers(batch, "received_at_ms")?);
        for (row, guest) in guests.iter().enumerate() {
            if let Some(guest) = guest.filter(|_| users.is_valid(row) && received.is_valid(row)) {
                found.push((guest.to_owned(), received.value(row), users.value(row).to_owned()));
            }
        }
        Ok(())
    })?;
    // The rows of a damaged part are not trusted, so the part counts as a whole or not at all.
    found.iter().for_each(|(guest, at_ms, user)| ties.add(guest, *at_ms, user));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_belongs_to_the_newest_tie_until_then_and_before_it_to_the_first() {
        let mut ties = Ties::default();
        for (at_ms, user) in [(30, "bob"), (10, "ann"), (11, "ann"), (20, "ann"), (40, "bob")] {
            ties.add("g", at_ms, user);
        }
        ties.add("h", 5, "ann");
        ties.sort();
        let user = |at_ms| ties.user("~g", at_ms);
        for (at_ms, expected) in [(0, "ann"), (10, "ann"), (29, "ann"), (30, "bob"), (99, "bob")] {
            assert_eq!(user(at_ms), Some(expected), "{at_ms}");
        }
        assert_eq!((ties.user("g", 99), ties.user("ann", 99)), (None, None));
        assert_eq!(ties.guests("ann"), ["~g", "~h"]);
        assert_eq!((ties.guests("bob"), ties.guests("cy")), (vec!["~g"], vec![]));
    }
}
