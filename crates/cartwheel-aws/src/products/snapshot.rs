//! The snapshot of the live catalogue: an object of the lake.
//!
//! It is text, compressed as a whole. The first line is the number of the newest entry of the journal
//! that it has. Each further line has a product's id, a space, and its newest listing as JSON; deleted
//! products are among them. It is replaced by conditional puts, so that it never goes back.

use std::io::{self, BufRead, BufReader, Write};

use cartwheel_events::ProductId;
use cartwheel_sessions::{Listing, LiveCatalogue};

/// The name of the object.
pub(super) const NAME: &str = "snapshots/catalogue.zst";
/// Compression level.
const LEVEL: i32 = 3;

/// Encodes the listings after the entry `number`.
pub(super) fn encode(live: &LiveCatalogue, number: u64) -> io::Result<Vec<u8>> {
    let mut out = zstd::stream::Encoder::new(Vec::new(), LEVEL)?;
    writeln!(out, "{number}")?;
    for (id, listing) in live.changed_since(0).listings {
        write!(out, "{id} ")?;
        out.write_all(&listing.to_vec()?)?;
        out.write_all(b"\n")?;
    }
    out.finish()
}

/// Takes over the listings that are newer than those of `live`. Returns the number of the entry.
pub(super) fn restore(live: &LiveCatalogue, content: &[u8]) -> io::Result<u64> {
    let mut lines = BufReader::new(zstd::stream::Decoder::new(content)?).lines();
    let first = lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
    for line in lines {
        let line = line?;
        let (id, listing) = line.split_once(' ').unwrap_or((&line, ""));
        let id = ProductId::new(id).map_err(io::Error::other)?;
        live.restore(&id, Listing::from_slice(listing.as_bytes())?);
    }
    first.parse().map_err(io::Error::other)
}
