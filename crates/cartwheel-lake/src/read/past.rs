//! Reading what was known at an earlier moment: an answer, a shopper's events, the catalogue.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use arrow_array::{Array, Int32Array, ListArray, RecordBatch, StringArray, UInt64Array};
use cartwheel_events::{
    EventKind, EventRecord, Impression, ImpressionItem, ProductId, ProductRecord, SCHEMA_VERSION,
    UserId,
};
use cartwheel_stream::{Position, Sequence};

use crate::error::LakeError;
use crate::files::parts::{PartsRead, read_parts};
use crate::files::scan::{
    list_counts, list_texts, lists, numbers, optional_texts, scan, sequences, texts,
};
use crate::lake::Lake;
use crate::read::feedback_join::optional_numbers;
use crate::read::products::read_changes;

/// Something read from several parts of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Past<T> {
    /// What was found.
    pub found: T,
    /// Parts that could not be read, each with its path and the error. They may hold more.
    pub problems: Vec<String>,
}

/// An answer, and its place in the stream if the writer of its part knew that.
type Answer = (Option<Sequence>, Impression);

/// The first and the newest change of a product until some moment.
type Ends = ((Position, ProductRecord), Option<(Position, ProductRecord)>);

impl Lake {
    /// Finds the delivered answer `id`, which is in the folder of an hour of a span of time (UTC
    /// milliseconds), and its place in the stream, if the writer of its part knew that.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn answer_between(
        &self,
        id: &str,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Past<Option<Answer>>, LakeError> {
        let list = || self.parts_between("impressions", from_ms, to_ms);
        let read: PartsRead<Option<_>> = read_parts(list, |path, found: &mut Option<_>| {
            if found.is_none() {
                *found = answer(path, id)?;
            }
            Ok(())
        })?;
        Ok(Past { found: read.content, problems: read.problems })
    }

    /// Reads the delivered events of a shopper that were accepted in a span of time (UTC
    /// milliseconds), in the order of the stream. What a tie carried along is not among them.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn events_between(
        &self,
        user_id: &UserId,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Past<Vec<(Position, EventRecord)>>, LakeError> {
        let list = || self.parts_between("events", from_ms, to_ms);
        let read = read_parts(list, |path, events: &mut BTreeMap<_, _>| {
            // The rows of a damaged part are not trusted.
            let own = events_of(path, std::slice::from_ref(user_id))?.into_iter();
            let placed = own.filter_map(|(position, event)| Some((position?, event)));
            events.extend(placed.map(|(position, event)| (position.sequence, (position, event))));
            Ok(())
        })?;
        let found = read.content.into_values().collect();
        Ok(Past { found, problems: read.problems })
    }

    /// Reads the events of some shoppers from parts without places in the stream, as Firehose writes them:
    /// those in the folders of the hours of a span of time (UTC milliseconds), in the order of the
    /// parts' names and of their rows. An event that was delivered again is there again.
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn unplaced_events(
        &self,
        users: &[UserId],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Past<Vec<EventRecord>>, LakeError> {
        let list = || self.parts_between("events", from_ms, to_ms);
        let read = read_parts(list, |path, events: &mut Vec<EventRecord>| {
            events.extend(events_of(path, users)?.into_iter().map(|(_, event)| event));
            Ok(())
        })?;
        Ok(Past { found: read.content, problems: read.problems })
    }

    /// Reads the delivered changes of the catalogue until `newest`, in the order of the stream: of
    /// each product the first one, which tells since when there is the product, and the newest.
    ///
    /// # Errors
    /// When the table's folder cannot be listed.
    pub fn catalogue_until(
        &self,
        newest: Sequence,
    ) -> Result<Past<Vec<(Position, ProductRecord)>>, LakeError> {
        let PartsRead { content, problems } = read_parts(
            || self.delivered_files("catalogue"),
            |path, ends: &mut BTreeMap<ProductId, Ends>| {
                read_changes(path, |position, change| {
                    if position.sequence <= newest {
                        add_change(ends, position, change);
                    }
                })
            },
        )?;
        let changes = content.into_values().flat_map(|(first, last)| [Some(first), last]);
        let mut found: Vec<(Position, ProductRecord)> = changes.flatten().collect();
        found.sort_by_key(|(position, _)| position.sequence);
        Ok(Past { found, problems })
    }
}

/// Keeps a change if it is the first or the newest one of its product.
fn add_change(ends: &mut BTreeMap<ProductId, Ends>, position: Position, change: ProductRecord) {
    let Some((first, last)) = ends.get_mut(&change.product_id) else {
        ends.insert(change.product_id.clone(), ((position, change), None));
        return;
    };
    let mut other = (position, change);
    if other.0.sequence == first.0.sequence {
        return;
    }
    if other.0.sequence < first.0.sequence {
        std::mem::swap(first, &mut other);
    }
    if last.as_ref().is_none_or(|(at, _)| at.sequence < other.0.sequence) {
        *last = Some(other);
    }
}

fn damaged<E: std::fmt::Display>(error: E) -> io::Error {
    io::Error::other(format!("a row is damaged: {error}"))
}

fn answer(path: &Path, id: &str) -> io::Result<Option<Answer>> {
    const ID: &str = "recommendation_id";
    let mut is_here = false;
    scan(path, Some(&[ID]), |batch| {
        is_here |= texts(batch, ID)?.iter().flatten().any(|found| found == id);
        Ok(())
    })?;
    let mut found = None;
    if is_here {
        scan(path, None, |batch| {
            let ids = texts(batch, ID)?;
            if let Some(row) = ids.iter().position(|found| found == Some(id)) {
                found = Some(impression(batch, row)?);
            }
            Ok(())
        })?;
    }
    Ok(found)
}

/// An optional text of a row; `None` too in a part of an earlier release without the column.
fn text(batch: &RecordBatch, name: &str, row: usize) -> Option<String> {
    let column = optional_texts(batch, name).filter(|column| column.is_valid(row))?;
    Some(column.value(row).to_owned())
}

fn products(lists: &ListArray, row: usize) -> io::Result<Vec<ProductId>> {
    list_texts(lists, row)?.into_iter().map(|id| ProductId::new(id).map_err(damaged)).collect()
}

fn impression(batch: &RecordBatch, row: usize) -> io::Result<Answer> {
    let sequence = sequences(batch).filter(|sequences| sequences.is_valid(row));
    let shown = match batch.column_by_name("shown") {
        Some(_) => shown_of_firehose(batch, row)?,
        None => shown(batch, row)?,
    };
    let impression = Impression {
        schema_version: SCHEMA_VERSION,
        recommendation_id: texts(batch, "recommendation_id")?.value(row).to_owned(),
        user_id: UserId::new(texts(batch, "user_id")?.value(row)).map_err(damaged)?,
        release: texts(batch, "release")?.value(row).to_owned(),
        cart: products(lists(batch, "cart")?, row)?,
        shown,
        received_at_ms: numbers(batch, "received_at_ms")?.value(row),
        placement: text(batch, "placement", row),
        page: text(batch, "page", row),
        moment: text(batch, "moment", row),
    };
    Ok((sequence.map(|sequences| Sequence::from(sequences.value(row))), impression))
}

/// The products of an impression: a list for each field.
fn shown(batch: &RecordBatch, row: usize) -> io::Result<Vec<ImpressionItem>> {
    let scores = lists(batch, "scores")?.value(row);
    let scores = scores.as_primitive_opt::<Float64Type>();
    let scores = scores.ok_or_else(|| damaged("its scores are no numbers"))?;
    let sources = list_texts(lists(batch, "sources")?, row)?;
    let rules = lists(batch, "rules").map_or(Ok(Vec::new()), |rules| list_texts(rules, row))?;
    let propensities = optional_numbers(lists(batch, "propensities").ok(), row);
    let shown = products(lists(batch, "product_ids")?, row)?.into_iter().enumerate();
    let shown = shown.map(|(at, product_id)| ImpressionItem {
        product_id,
        position: u32::try_from(at).unwrap_or(u32::MAX),
        // It was written from this type.
        score: scores.iter().nth(at).flatten().unwrap_or_default() as f32,
        source: sources.get(at).cloned().unwrap_or_default(),
        rule: rules.get(at).filter(|rule| !rule.is_empty()).cloned(),
        propensity: propensities.get(at).copied().flatten(),
    });
    Ok(shown.collect())
}

/// The products of an impression as Firehose writes them: a list of structures.
fn shown_of_firehose(batch: &RecordBatch, row: usize) -> io::Result<Vec<ImpressionItem>> {
    let items = lists(batch, "shown")?.value(row);
    let items = items.as_struct_opt().ok_or_else(|| damaged("its products are no structures"))?;
    let column = |name: &str| items.column_by_name(name);
    let texts = |name: &str| column(name).and_then(|column| column.as_string_opt::<i32>());
    let floats =
        |name: &str| column(name).and_then(|column| column.as_primitive_opt::<Float64Type>());
    let (Some(ids), Some(scores)) = (texts("product_id"), floats("score")) else {
        return Err(damaged("its products have no ids or scores"));
    };
    let text = |texts: Option<&StringArray>, at: usize| {
        texts.filter(|texts| texts.is_valid(at)).map(|texts| texts.value(at).to_owned())
    };
    let item = |at: usize| {
        Ok(ImpressionItem {
            product_id: ProductId::new(ids.value(at)).map_err(damaged)?,
            position: u32::try_from(at).unwrap_or(u32::MAX),
            // It was written from this type.
            score: scores.value(at) as f32,
            source: text(texts("source"), at).unwrap_or_default(),
            rule: text(texts("rule"), at),
            propensity: floats("propensity").filter(|of| of.is_valid(at)).map(|of| of.value(at)),
        })
    };
    (0..items.len()).map(item).collect()
}

/// The events of some shoppers in a part, in the order of its rows.
fn events_of(path: &Path, users: &[UserId]) -> io::Result<Vec<(Option<Position>, EventRecord)>> {
    let mut is_here = false;
    let wanted = |user: Option<&str>| users.iter().find(|wanted| Some(wanted.as_str()) == user);
    scan(path, Some(&["user_id"]), |batch| {
        is_here |= texts(batch, "user_id")?.iter().any(|user| wanted(user).is_some());
        Ok(())
    })?;
    let mut found = Vec::new();
    if !is_here {
        return Ok(found);
    }
    scan(path, None, |batch| {
        for (row, user) in texts(batch, "user_id")?.iter().enumerate() {
            if let Some(user_id) = wanted(user) {
                found.extend(event(batch, row, user_id)?);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// An event as far as sessions need it, and its place in the stream, if the part has that. `None` of a
/// kind that this release does not know.
fn event(
    batch: &RecordBatch,
    row: usize,
    user_id: &UserId,
) -> io::Result<Option<(Option<Position>, EventRecord)>> {
    let Some(event) = EventKind::parse(texts(batch, "event")?.value(row)) else { return Ok(None) };
    let shards = batch.column_by_name("shard").and_then(|c| c.as_primitive_opt::<Int32Type>());
    let places = shards.zip(sequences(batch)).filter(|(_, sequence)| sequence.is_valid(row));
    let place = |(shards, sequences): (&Int32Array, &UInt64Array)| {
        let shard = u32::try_from(shards.value(row)).map_err(damaged)?;
        Ok::<_, io::Error>(Position { shard, sequence: Sequence::from(sequences.value(row)) })
    };
    let position = places.map(place).transpose()?;
    let product_ids = products(lists(batch, "product_ids")?, row)?;
    let mut quantities = list_counts(lists(batch, "quantities")?, row)?;
    quantities.resize(product_ids.len(), 1);
    let backfilled = numbers(batch, "backfilled_at_ms").ok();
    let record = EventRecord {
        schema_version: SCHEMA_VERSION,
        event_id: texts(batch, "event_id")?.value(row).to_owned(),
        user_id: user_id.clone(),
        anonymous_id: text(batch, "anonymous_id", row),
        session_id: text(batch, "session_id", row),
        event,
        prices: vec![None; product_ids.len()],
        product_ids,
        quantities,
        query: text(batch, "query", row),
        country: None,
        timestamp_ms: None,
        source: text(batch, "source", row),
        recommendation_id: text(batch, "recommendation_id", row),
        received_at_ms: numbers(batch, "received_at_ms")?.value(row),
        backfilled_at_ms: backfilled.filter(|b| b.is_valid(row)).map(|b| b.value(row)),
        carried: None,
        tied: None,
    };
    Ok(Some((position, record)))
}
