//! Directories for inputs.

/// A folder for one run, in memory where the machine has such a file system.
pub(crate) fn scratch() -> std::io::Result<tempfile::TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    let builder = tempfile::Builder::new();
    if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() }
}
