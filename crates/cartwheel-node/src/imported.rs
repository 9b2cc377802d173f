//! The imported events of the lake, for the sessions.

use cartwheel_lake::Lake;
use cartwheel_sessions::{ImportedEvents, ShopperEvents};

/// The imports of a lake.
pub(crate) struct LakeImports(pub(crate) Lake);

impl ImportedEvents for LakeImports {
    fn ids(&self) -> Result<Vec<String>, String> {
        let manifest = self.0.import_manifest().map_err(|error| error.to_string())?;
        let imports = manifest.map(|manifest| manifest.imports).unwrap_or_default();
        Ok(imports.into_iter().map(|import| import.id).collect())
    }

    fn read(
        &self,
        id: &str,
        from_ms: i64,
        each: &mut dyn FnMut(ShopperEvents) -> bool,
    ) -> Result<(), String> {
        let read = self.0.recent_events(id, from_ms, &mut |shopper| {
            each(ShopperEvents { user_id: shopper.user_id, events: shopper.events })
        });
        let read = read.map_err(|error| error.to_string())?;
        for problem in &read.problems {
            tracing::error!(problem, "the sessions lack the recent events of this file");
        }
        match read.is_stale {
            true => Err("a part was replaced while it was read".to_owned()),
            false => Ok(()),
        }
    }
}
