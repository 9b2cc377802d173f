//! Sealing files with a key. The module of the crate says how.

use std::io::{self, Read, Write};
use std::path::Path;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use crate::error::BackupError;

/// The first bytes of a sealed file, with the format's version.
const MAGIC: [u8; 8] = *b"CWSEAL\0\x01";
/// Bytes of a chunk before it is sealed.
const CHUNK: usize = 64 << 10;
/// Bytes that sealing adds to a chunk.
const TAG: usize = 16;
/// Bytes of a file's salt.
const SALT: usize = 32;

/// A key with which backups are encrypted.
#[derive(Clone)]
pub struct Key {
    secret: [u8; 32],
    names: hmac::Key,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(hidden)")
    }
}

impl Key {
    /// Reads a key of 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn from_file(path: &Path) -> Result<Self, BackupError> {
        let text =
            std::fs::read_to_string(path).map_err(BackupError::io(&path.display().to_string()))?;
        let bytes = hex::decode(text.trim()).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self::new).ok_or_else(|| BackupError::KeyFile(path.display().to_string()))
    }

    /// The key with these bytes.
    pub fn new(secret: [u8; 32]) -> Self {
        let names = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        // The secret itself only derives keys.
        let names = hmac::sign(&names, b"cartwheel backup: names of objects");
        Self { secret, names: hmac::Key::new(hmac::HMAC_SHA256, names.as_ref()) }
    }

    /// The name that stands for a hash.
    pub(crate) fn name(&self, hash: &[u8]) -> String {
        hex::encode(hmac::sign(&self.names, hash))
    }

    /// A text that shows whether a key is this one, and does not tell the key.
    pub(crate) fn check(&self) -> String {
        self.name(b"cartwheel backup: check of the key")
    }

    /// The key of the file with this salt.
    fn of_file(&self, salt: &[u8; SALT]) -> io::Result<LessSafeKey> {
        let derived = Salt::new(HKDF_SHA256, salt).extract(&self.secret);
        let info = [&b"cartwheel backup: content of a file"[..]];
        let derived = derived.expand(&info, &AES_256_GCM).map_err(cipher)?;
        Ok(LessSafeKey::new(UnboundKey::from(derived)))
    }
}

/// The cipher's errors have no reasons.
fn cipher(_: Unspecified) -> io::Error {
    io::Error::other("the system's cipher or random generator failed")
}

/// The nonce of a chunk. A file's key seals nothing else, so numbers do not repeat.
fn nonce(chunk: u64, is_last: bool) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&chunk.to_le_bytes());
    bytes[NONCE_LEN - 1] = u8::from(is_last);
    Nonce::assume_unique_for_key(bytes)
}

/// Seals what is written to it.
pub(crate) struct Sealer<W> {
    out: W,
    key: LessSafeKey,
    buffer: Vec<u8>,
    chunk: u64,
}

impl<W: Write> Sealer<W> {
    pub(crate) fn new(key: &Key, mut out: W) -> io::Result<Self> {
        let mut salt = [0; SALT];
        SystemRandom::new().fill(&mut salt).map_err(cipher)?;
        out.write_all(&MAGIC)?;
        out.write_all(&salt)?;
        Ok(Self {
            out,
            key: key.of_file(&salt)?,
            buffer: Vec::with_capacity(CHUNK + TAG),
            chunk: 0,
        })
    }

    fn seal(&mut self, is_last: bool) -> io::Result<()> {
        let nonce = nonce(self.chunk, is_last);
        let sealed = self.key.seal_in_place_append_tag(nonce, Aad::empty(), &mut self.buffer);
        sealed.map_err(cipher)?;
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        self.chunk += 1;
        Ok(())
    }

    /// Seals the last chunk.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        Ok(self.out)
    }
}

impl<W: Write> Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits for more, since the last chunk is sealed as such.
        if self.buffer.len() == CHUNK && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(CHUNK - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes the content of a sealed file to `out`. Nothing is written that was not sealed with the
/// key.
pub(crate) fn unseal(key: &Key, mut from: impl Read, out: &mut impl Write) -> io::Result<()> {
    let invalid = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
    let (mut magic, mut salt) = ([0; MAGIC.len()], [0; SALT]);
    from.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(invalid("it is not sealed, or by a later release"));
    }
    from.read_exact(&mut salt)?;
    let key = key.of_file(&salt)?;
    let mut next = |buffer: &mut Vec<u8>| {
        buffer.clear();
        from.by_ref().take((CHUNK + TAG) as u64).read_to_end(buffer)
    };
    let (mut current, mut following) = (Vec::new(), Vec::new());
    next(&mut current)?;
    for chunk in 0.. {
        let is_last = next(&mut following)? == 0;
        let opened = key.open_in_place(nonce(chunk, is_last), Aad::empty(), &mut current);
        let opened = opened.map_err(|_| invalid("it was changed or cut off"))?;
        out.write_all(opened)?;
        if is_last {
            break;
        }
        std::mem::swap(&mut current, &mut following);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &Key, content: &[u8]) -> Vec<u8> {
        let mut sealer = Sealer::new(key, Vec::new()).unwrap();
        sealer.write_all(content).unwrap();
        sealer.finish().unwrap()
    }

    fn opened(key: &Key, bytes: &[u8]) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        unseal(key, bytes, &mut out).map(|()| out)
    }

    #[test]
    fn content_of_every_length_is_sealed_and_opened() {
        let key = Key::new([7; 32]);
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let content: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let bytes = sealed(&key, &content);
            assert_eq!(opened(&key, &bytes).unwrap(), content, "{length}");
            assert!(opened(&Key::new([8; 32]), &bytes).is_err(), "another key opens {length}");
        }
    }

    #[test]
    fn a_change_a_cut_and_a_swap_of_chunks_are_noticed() {
        let key = Key::new([7; 32]);
        let bytes = sealed(&key, &vec![5; 2 * CHUNK + 9]);
        for at in (0..bytes.len()).step_by(997) {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(opened(&key, &changed).is_err(), "byte {at}");
        }
        let (start, chunk) = (MAGIC.len() + SALT, CHUNK + TAG);
        for end in [start, start + chunk, start + 2 * chunk, bytes.len() - 1] {
            assert!(opened(&key, &bytes[..end]).is_err(), "cut at {end}");
        }
        let mut swapped = bytes.clone();
        swapped[start..start + 2 * chunk].rotate_left(chunk);
        assert!(opened(&key, &swapped).is_err(), "swapped");
    }
}
