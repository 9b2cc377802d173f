//! Reading tables back.

use std::io;
use std::path::Path;

use rustc_hash::FxHashSet;

use crate::manifest::{Lake, LakeError};
use crate::parts::{parts, read_parts};
use crate::records::{self, CheckoutRow};
use crate::scan;

/// A row of `products`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProductRow {
    /// Its id.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// Its aisle's name.
    pub aisle: String,
    /// Its department's name.
    pub department: String,
}

/// The checkouts of the event stream.
#[derive(Debug, Clone, Default)]
pub struct Checkouts {
    /// Each (user, event id) once, by user, then `received_at_ms`, then event id.
    pub records: Vec<CheckoutRow>,
    /// Parts that could not be read, each named.
    pub problems: Vec<String>,
}

impl Lake {
    /// The imported products, by part and row.
    ///
    /// # Errors
    /// When a part cannot be read; the error names it.
    pub fn read_products(&self) -> Result<Vec<ProductRow>, LakeError> {
        let mut out = Vec::new();
        for path in self.import_manifest()?.map(|m| m.products).unwrap_or_default() {
            read_products(&path, &mut out).map_err(|e| LakeError::file(&path, e))?;
        }
        Ok(out)
    }

    /// Every checkout that was delivered, each once.
    ///
    /// # Errors
    /// When the folder of events cannot be listed.
    pub fn checkouts(&self) -> Result<Checkouts, LakeError> {
        let events = self.dir().join("events");
        let read = |path: &Path, records: &mut Vec<CheckoutRow>| {
            let before = records.len();
            let read = records::checkouts(path, records);
            // Of a damaged part nothing is known for sure.
            read.inspect_err(|_| records.truncate(before))
        };
        let (records, problems) = read_parts(|| parts(&events), read)?;
        let mut out = Checkouts { records, problems };
        out.records.sort();
        let mut seen = FxHashSet::default();
        out.records.retain(|r| seen.insert((r.user_id.clone(), r.event_id.clone())));
        Ok(out)
    }
}

fn read_products(path: &Path, out: &mut Vec<ProductRow>) -> io::Result<()> {
    scan::scan(path, None, |batch| {
        let text = |name: &str| scan::texts(batch, name);
        let (id, name) = (text("product_id")?, text("product_name")?);
        let (aisle, department) = (text("aisle")?, text("department")?);
        out.extend((0..batch.num_rows()).map(|at| ProductRow {
            product_id: id.value(at).to_owned(),
            product_name: name.value(at).to_owned(),
            aisle: aisle.value(at).to_owned(),
            department: department.value(at).to_owned(),
        }));
        Ok(())
    })
}
