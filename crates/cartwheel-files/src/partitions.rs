//! Records on disk in partitions by a hash, so that the records of one key can be put together in
//! bounded memory.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use parking_lot::Mutex;

/// Bytes that a writer buffers for one partition.
const BUFFER: usize = 32 << 10;
/// Longest text of a record, in bytes.
const LONGEST_TEXT: usize = u16::MAX as usize;

/// The partitions, as unnamed temporary files, which disappear with this value.
#[derive(Debug)]
pub struct Partitions {
    files: Vec<Mutex<File>>,
}

impl Partitions {
    /// Creates `count` empty partitions on the file system of `dir`.
    ///
    /// # Errors
    /// When a file cannot be created.
    pub fn create(dir: &Path, count: usize) -> io::Result<Self> {
        let file = |_| tempfile::tempfile_in(dir).map(Mutex::new);
        Ok(Self { files: (0..count).map(file).collect::<io::Result<_>>()? })
    }

    /// The number of partitions.
    pub fn count(&self) -> usize {
        self.files.len()
    }

    /// The size of a partition in bytes.
    ///
    /// # Errors
    /// When the file cannot be inspected.
    pub fn bytes(&self, partition: usize) -> io::Result<u64> {
        Ok(self.files[partition].lock().metadata()?.len())
    }

    /// Reads the records of a partition, one after another.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, partition: usize) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(partition, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the records of a partition into a buffer that is used again, in place of its content.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read_into(&self, partition: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        let mut file = self.files[partition].lock();
        file.rewind()?;
        bytes.clear();
        file.read_to_end(bytes)?;
        Ok(())
    }

    /// The file of a partition, at its beginning, to read it piece by piece.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn file(&self, partition: usize) -> io::Result<File> {
        let mut file = self.files[partition].lock().try_clone()?;
        file.rewind()?;
        Ok(file)
    }

    /// The partition of a hash. Its top bits decide, so that one partition after another holds
    /// ascending hashes.
    fn of(&self, hash: u64) -> usize {
        ((u128::from(hash) * self.files.len() as u128) >> 64) as usize
    }
}

/// Writes the records of one thread, through a buffer for each partition.
#[derive(Debug)]
pub struct PartitionWriter<'a> {
    partitions: &'a Partitions,
    buffers: Vec<Vec<u8>>,
}

impl<'a> PartitionWriter<'a> {
    /// A writer into `partitions`.
    pub fn new(partitions: &'a Partitions) -> Self {
        Self { partitions, buffers: vec![Vec::new(); partitions.count()] }
    }

    /// Writes the record that `encode` appends into the partition of `hash`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn record(&mut self, hash: u64, encode: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let partition = self.partitions.of(hash);
        let buffer = &mut self.buffers[partition];
        encode(buffer);
        if buffer.len() >= BUFFER {
            self.partitions.files[partition].lock().write_all(buffer)?;
            buffer.clear();
        }
        Ok(())
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish(self) -> io::Result<()> {
        for (buffer, file) in self.buffers.iter().zip(&self.partitions.files) {
            file.lock().write_all(buffer)?;
        }
        Ok(())
    }
}

/// Appends a text after its length (u16). A text of more than 65,535 bytes is cut.
pub fn push_text(out: &mut Vec<u8>, text: &str) {
    let text = &text[..text.floor_char_boundary(LONGEST_TEXT)];
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
}

/// Reads fields off the front of a partition's bytes.
#[derive(Debug, Clone, Copy)]
pub struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether every field is read.
    pub fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads `N` bytes.
    ///
    /// # Errors
    /// When fewer are left.
    pub fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let (head, tail) = self.0.split_first_chunk::<N>().ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        Ok(*head)
    }

    /// Reads a text that [`push_text`] wrote.
    ///
    /// # Errors
    /// When the bytes are too few or not UTF-8.
    pub fn text(&mut self) -> io::Result<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (head, tail) = self.0.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        self.0 = tail;
        std::str::from_utf8(head).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_in_order_and_those_of_a_hash_together() {
        let dir = tempfile::tempdir().unwrap();
        let partitions = Partitions::create(dir.path(), 3).unwrap();
        let mut writer = PartitionWriter::new(&partitions);
        let hashes = [0, u64::MAX / 2, u64::MAX];
        for n in 0..30_000_u32 {
            let record = |out: &mut Vec<u8>| {
                out.extend(n.to_le_bytes());
                push_text(out, "prödukt");
            };
            writer.record(hashes[n as usize % 3], record).unwrap();
        }
        writer.finish().unwrap();
        for partition in 0..3_u32 {
            let bytes = partitions.read(partition as usize).unwrap();
            assert_eq!(partitions.bytes(partition as usize).unwrap(), bytes.len() as u64);
            let mut reader = FieldReader::new(&bytes);
            let mut expected = partition;
            while !reader.is_at_end() {
                assert_eq!(u32::from_le_bytes(reader.array().unwrap()), expected);
                assert_eq!(reader.text().unwrap(), "prödukt");
                expected += 3;
            }
            assert_eq!(expected, 30_000 + partition);
        }
    }

    #[test]
    fn a_long_text_is_cut_between_letters() {
        let mut out = Vec::new();
        push_text(&mut out, &"é".repeat(40_000));
        let text = FieldReader::new(&out).text().unwrap().to_owned();
        assert_eq!(text, "é".repeat(32_767));
        assert!(FieldReader::new(&out[..out.len() - 1]).text().is_err());
    }
}
