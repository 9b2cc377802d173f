//! What every [`Place`] promises.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};

use crate::place::Place;

fn content(place: &dyn Place, name: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    match place.read(name).and_then(|mut file| file.read_to_end(&mut bytes)) {
        Ok(_) => Some(bytes),
        Err(error) => {
            assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{name}: {error}");
            None
        }
    }
}

fn listed(place: &dyn Place, folder: &str) -> Vec<(String, u64)> {
    let mut found = place.list(folder).unwrap();
    found.sort();
    found
}

fn keep(place: &mut dyn Place, name: &str, content: &[u8]) {
    let mut scratch = place.scratch().unwrap();
    scratch.write_all(content).unwrap();
    place.keep(scratch, name).unwrap();
}

/// Checks a place that does not exist yet. `open` opens it, each time as another process would.
///
/// # Panics
/// When the place breaks a promise.
pub fn place(open: &dyn Fn() -> Box<dyn Place>) {
    let mut writer = open();
    assert!(writer.lock().unwrap(), "nobody holds a new place");
    assert!(writer.is_empty().unwrap());
    assert_eq!(listed(&*writer, "objects"), []);
    assert_eq!(content(&*writer, "backups/a.json"), None);
    assert!(!open().lock().unwrap(), "two writers at once");

    // Files of every size that a place may treat in its own way.
    let large: Vec<u8> = (0..(17 << 20) + 5_u32).map(|at| (at % 251) as u8).collect();
    for (name, bytes) in
        [("objects/aa/aa1", &b""[..]), ("objects/aa/aa2", b"two"), ("objects/bb/b", &large)]
    {
        keep(&mut *writer, name, bytes);
    }
    let mut scratch = writer.scratch().unwrap();
    scratch.write_all(b"thrown away").unwrap();
    writer.discard(scratch).unwrap();
    writer.settle().unwrap();
    writer.write("backups/a.json", b"first").unwrap();
    writer.write("backups/a.json", b"second").unwrap();

    let reader = open();
    assert!(!reader.is_empty().unwrap());
    let file = |name: &str, bytes: u64| (name.to_owned(), bytes);
    let objects = [
        file("objects/aa/aa1", 0),
        file("objects/aa/aa2", 3),
        file("objects/bb/b", large.len() as u64),
    ];
    assert_eq!(listed(&*reader, "objects"), objects);
    assert_eq!(listed(&*reader, "backups"), [file("backups/a.json", 6)]);
    assert_eq!(content(&*reader, "objects/aa/aa1").unwrap(), b"");
    assert_eq!(content(&*reader, "objects/bb/b").unwrap(), large);
    assert_eq!(content(&*reader, "backups/a.json").unwrap(), b"second");
    assert!(reader.address("objects/bb/b").ends_with("/objects/bb/b"));
    assert!(reader.address("objects/bb/b").starts_with(&reader.address("")));

    keep(&mut *writer, "objects/bb/b", b"replaced");
    assert_eq!(content(&*reader, "objects/bb/b").unwrap(), b"replaced");
    let gone = ["objects/bb/b", "objects/cc/never"].map(str::to_owned);
    writer.remove(&gone).unwrap();
    assert_eq!(content(&*reader, "objects/bb/b"), None);
    assert_eq!(listed(&*reader, "objects"), &objects[..2]);
    drop(writer);
    let mut next = open();
    assert!(next.lock().unwrap(), "a writer that ended still excludes others");
    next.settle().unwrap();
}
