//! The interface between the API and what reads and imports files.

use std::path::PathBuf;
use std::sync::Arc;

use cartwheel_stream::Pending;
use cartwheel_workflow::Progress;

use crate::operate::views::import::{EarlierImports, ImportContent, StartFileImport};
use crate::operate::views::import_mapping::ImportMapping;
use crate::operate::views::import_preview::{ImportPreview, ImportResult};

/// A file to read.
#[derive(Debug, Clone)]
pub struct ImportFile {
    /// The file, in a folder of its own.
    pub path: PathBuf,
    /// What its rows are.
    pub kind: ImportContent,
    /// What the caller says about it.
    pub mapping: ImportMapping,
}

/// Takes the progress of a step.
pub type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Reads and imports files. Dropping a future ends its work. Errors are sentences for the caller.
pub trait Importer: Send + Sync {
    /// The fields that columns may be mapped to. Those of products may also be attributes.
    fn fields(&self, kind: ImportContent) -> Vec<String>;

    /// The mappings that come with the program.
    fn presets(&self) -> Vec<String>;

    /// Shows how a file is understood. Changes nothing.
    fn preview(
        &self,
        file: ImportFile,
        progress: OnProgress,
    ) -> Pending<'static, Result<ImportPreview, String>>;

    /// Imports a file. Orders and events become visible at the end, all at once; products one
    /// after another.
    fn import(
        &self,
        file: ImportFile,
        start: StartFileImport,
        progress: OnProgress,
    ) -> Pending<'static, Result<ImportResult, String>>;

    /// Removes what an import has written that was dropped. May block.
    ///
    /// # Errors
    /// When the files cannot be removed. The next import tries again.
    fn clean(&self) -> Result<(), String>;

    /// Orders and events that were imported before. May block.
    ///
    /// # Errors
    /// When the lake cannot be read.
    fn earlier(&self) -> Result<EarlierImports, String>;
}
