//! Writing an object piece by piece. The object appears at the end, whole and durable.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use crate::error::LakeError;
use crate::files::checksum::{self, END};
use crate::files::staged::is_staged;
use crate::lake::{Lake, object_key};

/// Bytes of a piece.
const PIECE: usize = 8 << 20;

/// An object that is being written. Dropping an unfinished upload leaves nothing behind.
pub(crate) struct Upload {
    upload: Box<dyn MultipartUpload>,
    /// Not put yet; the last [`END`] bytes stay until the end, since a checksum may go there.
    buffer: Vec<u8>,
    /// The CRC32C of what has been put.
    crc: u32,
    bytes: u64,
    target: PathBuf,
    is_complete: bool,
}

impl Upload {
    /// Starts an object at `path`, which is relative to the lake.
    pub(crate) fn new(lake: &Lake, path: &Path) -> Result<Self, LakeError> {
        let key = object_key(path)?;
        let upload = block_on(lake.store().put_multipart(&key));
        let upload = upload.map_err(|e| LakeError::object(path, e))?;
        let target = lake.dir().join(path);
        Ok(Self { upload, buffer: Vec::new(), crc: 0, bytes: 0, target, is_complete: false })
    }

    fn put_piece(&mut self, end: usize) -> io::Result<()> {
        let rest = self.buffer.split_off(end);
        let piece = std::mem::replace(&mut self.buffer, rest);
        self.crc = crc32c::crc32c_append(self.crc, &piece);
        block_on(self.upload.put_part(PutPayload::from(piece))).map_err(io::Error::other)
    }

    /// Completes a Parquet file, with its checksum, and returns its size in bytes.
    pub(crate) fn finish_sealed(mut self) -> io::Result<u64> {
        checksum::seal(self.crc, &mut self.buffer)?;
        self.finish()
    }

    /// Completes the object and returns its size in bytes.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        if !self.buffer.is_empty() {
            self.put_piece(self.buffer.len())?;
        }
        self.is_complete = true;
        if let Err(error) = block_on(self.upload.complete()) {
            self.remove_staged();
            return Err(io::Error::other(error));
        }
        Ok(self.bytes)
    }

    /// Removes the staged bytes, which remain if completing fails, as on a full disk, or if the
    /// upload is not completed.
    fn remove_staged(&self) {
        let (Some(folder), Some(name)) = (self.target.parent(), self.target.file_name()) else {
            return;
        };
        let prefix = format!("{}#", name.to_string_lossy());
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let is_own = entry.file_name().to_string_lossy().starts_with(&prefix);
            if is_own && is_staged(&entry.path()) {
                // A file that stays is removed at the next start.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // The store removes them too, but some time later.
        if !self.is_complete {
            self.remove_staged();
        }
    }
}

impl Write for Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        self.bytes += bytes.len() as u64;
        while self.buffer.len() >= PIECE + END {
            self.put_piece(PIECE)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
