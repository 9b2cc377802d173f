//! Work on copies of some of a lake's files. A lake in a bucket is read and erased from in this way,
//! by the code that works on a lake in a directory.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::erasure::{Erasure, erase};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::manifest::Manifest;

impl Manifest {
    /// The manifest's name in the lake.
    pub const NAME: &str = "imports/current.json";

    /// Reads a manifest, whose paths are relative to the lake.
    ///
    /// # Errors
    /// `InvalidData` when it is damaged.
    pub fn parse(bytes: Vec<u8>) -> io::Result<Self> {
        Ok(serde_json::from_slice(&cartwheel_files::without_checksum(bytes)?)?)
    }

    /// The text of a manifest whose paths are relative to the lake.
    ///
    /// # Errors
    /// When a path is not UTF-8.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        Ok(cartwheel_files::with_checksum(&serde_json::to_vec_pretty(self)?))
    }

    /// Replaces the parts that `replaced` names by others, or by none.
    pub fn replace(&mut self, replaced: impl Fn(&Path) -> Option<Vec<PathBuf>>) {
        for (_, parts) in self.tables_mut() {
            let old = std::mem::take(parts);
            parts.extend(old.into_iter().flat_map(|part| replaced(&part).unwrap_or(vec![part])));
        }
    }
}

impl Lake {
    /// Erases users from the files in this directory, which are copies of some of a lake's. Returns
    /// the files that cannot be read and may hold a user, each with the error.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn erase_copied(&self, erasures: &[Erasure]) -> Result<Vec<String>, LakeError> {
        let (mut problems, stopped) = (Vec::new(), AtomicBool::new(false));
        // Nobody delivers into a copy.
        let erased = erase(self, &[], erasures, &mut problems, &stopped, &mut |_| ())?;
        Ok(erased.into_iter().next().map(|result| result.unreadable).unwrap_or_default())
    }
}
