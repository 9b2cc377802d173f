//! Everything that the lake on S3 stores about a shopper, as far as a request has time to read it.

use std::time::Duration;

use cartwheel_events::UserId;
use cartwheel_lake::UserRecords;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::lake::{Lake, LakeError};
use crate::lake_copy::{LakeCopy, batches, manifest, objects};

/// Most rows of each table in an export.
const MAX_ROWS: usize = 100_000;
/// Most rows of each table that an answer of the function has room for, since Lambda takes 6 MB.
const MAX_ANSWER_ROWS: usize = 5000;
/// Most bytes that are copied at once.
const BATCH: u64 = 64 << 20;

/// Reads the stored records of a shopper, the newest files first, for at most about `limit`. What
/// was not read is named in `problems`, and `truncated` is true.
///
/// # Errors
/// When S3 fails.
pub async fn export(lake: &Lake, user_id: &UserId, limit: Duration) -> Result<Value, LakeError> {
    let start = Instant::now();
    let left = || limit.saturating_sub(start.elapsed());
    let mut out = UserRecords::default();
    let unread = |files: &str| {
        format!(
            "{files} of the lake were not read within {} s: docs/aws.md, Erasure and export, has \
             the query that reads them",
            limit.as_secs()
        )
    };
    let listed = tokio::time::timeout(limit, async {
        let (manifest, _) = manifest(lake).await?;
        let objects = objects(lake, &manifest).await?;
        Ok::<_, LakeError>((manifest, objects))
    });
    let Ok(listed) = listed.await else {
        out.truncated = true;
        out.problems.push(unread("The files"));
        return Ok(value(out));
    };
    let (manifest, objects) = listed?;
    let (mut done, all) = (0, objects.len());
    for batch in batches(objects, BATCH) {
        let count = batch.len();
        let read = tokio::time::timeout(left(), async {
            let copy = LakeCopy::of(lake, &batch, &manifest).await?;
            let user = user_id.to_string();
            let read = tokio::task::spawn_blocking(move || {
                copy.open().and_then(|folder| folder.user_records(&user, MAX_ROWS))
            });
            let failed = |error: std::io::Error| LakeError::file("temporary files", error);
            let read = read.await.map_err(|e| failed(std::io::Error::other(e)))?;
            read.map_err(|e| failed(std::io::Error::other(e)))
        });
        let Ok(read) = read.await else { break };
        add(&mut out, read?);
        done += count;
    }
    if done < all {
        out.truncated = true;
        out.problems.push(unread(&format!("{} of {all} files", all - done)));
    }
    for rows in [&mut out.orders, &mut out.events, &mut out.impressions] {
        out.truncated |= rows.len() > MAX_ANSWER_ROWS;
        // The newest come last.
        rows.drain(..rows.len().saturating_sub(MAX_ANSWER_ROWS));
    }
    Ok(value(out))
}

/// Adds the records of older files, and puts all into order again.
fn add(out: &mut UserRecords, mut older: UserRecords) {
    out.orders.append(&mut older.orders);
    out.events.append(&mut older.events);
    out.impressions.append(&mut older.impressions);
    out.truncated |= older.truncated;
    out.problems.append(&mut older.problems);
    out.orders.sort_by_key(|row| row["order_number"].as_i64());
    for rows in [&mut out.events, &mut out.impressions] {
        rows.sort_by_key(|row| row["received_at_ms"].as_i64());
    }
}

fn value(records: UserRecords) -> Value {
    let mut value = json!(records);
    // What is not delivered yet is in the stream, by position and not by user, and guests are not
    // looked for.
    value["stream"] = json!([]);
    value["guests"] = json!({});
    value
}
