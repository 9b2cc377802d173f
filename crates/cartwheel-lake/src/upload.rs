//! Writing an object piece by piece: it appears at the end, whole and durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use object_store::path::Path as Key;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use crate::manifest::{Lake, LakeError};
use crate::parts::is_staged;

/// Bytes of one piece.
const PIECE: usize = 8 << 20;

/// An object that is being written. Dropped, it leaves nothing.
pub(crate) struct Upload {
    upload: Box<dyn MultipartUpload>,
    buffer: Vec<u8>,
    bytes: u64,
    target: PathBuf,
    is_over: bool,
}

impl Upload {
    /// Begins an object; `path` is relative to the lake.
    pub(crate) fn new(lake: &Lake, path: &Path) -> Result<Self, LakeError> {
        let failed = |e| LakeError::file(path, io::Error::other(e));
        let key = Key::parse(path.to_string_lossy()).map_err(|e| failed(e.into()))?;
        let store = lake.store();
        let upload = block_on(store.put_multipart(&key)).map_err(failed)?;
        let target = lake.dir().join(path);
        Ok(Self { upload, buffer: Vec::new(), bytes: 0, target, is_over: false })
    }

    fn piece(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.buffer);
        block_on(self.upload.put_part(PutPayload::from(piece))).map_err(io::Error::other)
    }

    /// Ends it and says its bytes: from here on it is there.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        if !self.buffer.is_empty() {
            self.piece()?;
        }
        self.is_over = true;
        if let Err(error) = block_on(self.upload.complete()) {
            self.sweep();
            return Err(io::Error::other(error));
        }
        Ok(self.bytes)
    }

    /// An end that failed, on a full disk say, and no end at all leave bytes there: away
    /// with them.
    fn sweep(&self) {
        let (Some(folder), Some(name)) = (self.target.parent(), self.target.file_name()) else {
            return;
        };
        let prefix = format!("{}#", name.to_string_lossy());
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let staged = entry.file_name().to_string_lossy().starts_with(&prefix);
            if staged && is_staged(&entry.path()) {
                // At the next start it goes, if not now.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // The store does it too, but some time later.
        if !self.is_over {
            self.sweep();
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        if self.buffer.len() >= PIECE {
            self.piece()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
