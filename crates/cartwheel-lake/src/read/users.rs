//! Everybody of whom the lake may hold something.

use crate::erasure::for_each_id;
use crate::error::LakeError;
use crate::files::scan::{scan, texts};
use crate::files::walk::files_below;
use crate::lake::Lake;

/// The tables whose rows name a user.
const TABLES: [&str; 4] = ["events", "impressions", "orders", "order_products"];
/// The folders with files of lines, which may hold a user's id anywhere.
const LINES: [&str; 2] = ["errors", "rejects"];

impl Lake {
    /// Calls `visit` with the id of every user in any file, often more than once, and with texts
    /// of malformed records that may be ids. Returns the files that cannot be read, each with its
    /// path and the error.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn for_each_user(&self, visit: &mut dyn FnMut(&str)) -> Result<Vec<String>, LakeError> {
        let mut problems = Vec::new();
        for table in TABLES {
            for path in files_below(&self.dir().join(table))? {
                if path.extension().is_none_or(|x| x != "parquet") {
                    continue;
                }
                let read = scan(&path, Some(&["user_id"]), |batch| {
                    texts(batch, "user_id")?.iter().flatten().for_each(&mut *visit);
                    Ok(())
                });
                problems.extend(read.err().map(|error| format!("{}: {error}", path.display())));
            }
        }
        for folder in LINES {
            for path in files_below(&self.dir().join(folder))? {
                let read = for_each_id(&path, visit);
                problems.extend(read.err().map(|error| format!("{}: {error}", path.display())));
            }
        }
        Ok(problems)
    }
}
