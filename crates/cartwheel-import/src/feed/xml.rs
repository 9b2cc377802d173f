//! The items of an RSS 2.0 or Atom feed as rows.

use std::io::BufRead;

use quick_xml::Reader;
use quick_xml::events::Event;

use crate::feed::row::FeedRow;

/// Maximum number of bytes of an item.
const MAX_ITEM: usize = 1 << 20;

/// Calls `each` with the fields of every `item` or `entry`, by their names without a prefix.
///
/// # Errors
/// A sentence that says where the feed is damaged.
pub(super) fn items(
    reader: impl BufRead,
    mut each: impl FnMut(FeedRow) -> Result<(), String>,
) -> Result<(), String> {
    let mut reader = Reader::from_reader(reader);
    reader.config_mut().expand_empty_elements = true;
    let mut buffer = Vec::new();
    let mut item: Option<Item> = None;
    let mut depth = 0_usize;
    loop {
        let at = reader.buffer_position();
        let damaged =
            |error: &dyn std::fmt::Display| format!("the feed is damaged at byte {at}: {error}");
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|error| damaged(&error))? {
            Event::Start(start) => {
                depth += 1;
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                match &mut item {
                    None if matches!(name.as_str(), "item" | "entry") => {
                        item = Some(Item { depth, row: FeedRow::default(), open: None, bytes: 0 });
                    }
                    Some(item) if depth == item.depth + 1 => {
                        // Atom's link is an attribute.
                        let href = start.try_get_attribute("href").ok().flatten();
                        let text =
                            href.map(|href| String::from_utf8_lossy(&href.value).into_owned());
                        item.open = Some((name, text.unwrap_or_default()));
                    }
                    _ => {}
                }
            }
            Event::Text(text) => {
                let text = text.decode().map_err(|error| damaged(&error))?;
                item.iter_mut().try_for_each(|item| item.add(&text)).map_err(|e| damaged(&e))?;
            }
            Event::CData(text) => {
                let text = text.decode().map_err(|error| damaged(&error))?;
                item.iter_mut().try_for_each(|item| item.add(&text)).map_err(|e| damaged(&e))?;
            }
            Event::GeneralRef(reference) => {
                let name = reference.decode().map_err(|error| damaged(&error))?;
                let character = reference.resolve_char_ref().ok().flatten().map(String::from);
                let known = quick_xml::escape::resolve_predefined_entity(&name);
                let text = character.or(known.map(str::to_owned));
                let text = text.ok_or_else(|| damaged(&format!("&{name}; is not defined")))?;
                item.iter_mut().try_for_each(|item| item.add(&text)).map_err(|e| damaged(&e))?;
            }
            Event::End(_) => {
                match item.take() {
                    Some(done) if depth == done.depth => each(done.row)?,
                    Some(mut open) => {
                        if depth == open.depth + 1
                            && let Some((name, text)) = open.open.take()
                        {
                            open.row.add(name, text.trim().to_owned());
                        }
                        item = Some(open);
                    }
                    None => {}
                }
                depth = depth.saturating_sub(1);
            }
            Event::Eof if depth > 0 => return Err("the feed ends too early".to_owned()),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// An item that is being read.
struct Item {
    /// The depth of its element.
    depth: usize,
    row: FeedRow,
    /// The field that is open, and its text so far.
    open: Option<(String, String)>,
    bytes: usize,
}

impl Item {
    fn add(&mut self, text: &str) -> Result<(), String> {
        self.bytes += text.len();
        if self.bytes > MAX_ITEM {
            return Err(format!("an item is longer than {MAX_ITEM} bytes"));
        }
        if let Some((_, open)) = &mut self.open {
            open.push_str(text);
        }
        Ok(())
    }
}
