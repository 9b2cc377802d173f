//! Backups in a directory or a bucket.
//!
//! # Files
//!
//! ```text
//! cartwheel-backup.json   format, whether files are encrypted, a check of the key
//! lock                    held by the process that writes (a bucket: see its place)
//! objects/ab/<name>       the content of a file, without zeros at its end; `ab` are the first two
//!                         digits of the name
//! backups/<time>.json     a backup: its files with path, size and SHA-256
//! ```
//!
//! A name of an object is the SHA-256 of the content, so what several backups share is stored
//! once. An object is whole under its name or absent, and never changed. A backup's file is written
//! last, so a backup that is interrupted leaves only objects, which the next one uses. A [`Place`]
//! keeps the files: a [`Directory`], or a bucket on S3 (`cartwheel-aws`).
//!
//! # Encryption
//!
//! With a key, objects and backups are sealed with AES-256-GCM. Each file has a key of its own:
//! HKDF-SHA-256 of the backup key and of 32 random bytes at the file's start. Chunks of 64 KiB
//! are sealed one by one. A chunk's nonce is its number and whether it is the last, so that
//! chunks cannot be swapped, repeated or cut off. The name of an object is then the HMAC-SHA-256
//! of the content's hash, so that names do not tell known contents. Sizes and times of files stay
//! visible.

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod directory;
mod error;
mod manifest;
mod place;
mod seal;
mod store;
#[cfg(test)]
mod tests;
mod verify;

pub use directory::Directory;
pub use error::BackupError;
pub use manifest::{Backup, FileEntry};
pub use place::Place;
pub use seal::Key;
pub use store::{Access, Store, Stored};
pub use verify::{Problem, Pruned};
