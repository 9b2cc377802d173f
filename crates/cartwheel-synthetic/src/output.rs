//! A file that gets its final name once it is complete.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::spec::GenerateError;

/// An output file under a temporary name.
pub(crate) struct OutputFile {
    path: PathBuf,
    scratch: PathBuf,
    file: BufWriter<File>,
}

impl OutputFile {
    pub(crate) fn create(dir: &Path, name: &str, header: &str) -> Result<Self, GenerateError> {
        let (path, scratch) = (dir.join(name), dir.join(format!(".{name}.part")));
        let file = File::create(&scratch)
            .map_err(|source| GenerateError::Io { path: scratch.clone(), source })?;
        let file = BufWriter::with_capacity(1 << 18, file);
        let mut out = Self { path, scratch, file };
        out.write(header)?;
        Ok(out)
    }

    pub(crate) fn write(&mut self, text: &str) -> Result<(), GenerateError> {
        let path = &self.scratch;
        self.file
            .write_all(text.as_bytes())
            .map_err(|source| GenerateError::Io { path: path.clone(), source })
    }

    /// Syncs the file and gives it its final name.
    pub(crate) fn finish(mut self) -> Result<(), GenerateError> {
        let put = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        put.and_then(|()| std::fs::rename(&self.scratch, &self.path))
            .map_err(|source| GenerateError::Io { path: self.path, source })
    }
}
