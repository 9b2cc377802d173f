//! A store through its interface.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Access, Backup, BackupError, Directory, FileEntry, Key, Store};

fn open(dir: &Path, key: Option<Key>, access: Access) -> Result<Store, BackupError> {
    Store::open(Box::new(Directory::new(dir)), key, access)
}

#[test]
fn a_directory_conforms() {
    let dir = tempfile::tempdir().unwrap();
    crate::conformance::place(&|| Box::new(Directory::new(dir.path().join("new"))));
}

/// Stores these files as a backup.
fn back_up(store: &mut Store, started_ms: i64, files: &[(&str, &[u8])]) -> Backup {
    let name = store.free_name(started_ms).unwrap();
    let files = files.iter().map(|(path, content)| {
        let stored = store.put(Path::new(path), *content).unwrap();
        let path = (*path).to_owned();
        let (size, sha256) = (stored.size, stored.sha256);
        FileEntry { path, size, sha256, modified_ns: 0, inode: 0, is_settled: false }
    });
    let files = files.collect();
    let release = "test".to_owned();
    let backup = Backup { name, started_ms, ended_ms: started_ms, log_next: 0, release, files };
    store.commit(&backup).unwrap();
    backup
}

fn content(store: &Store, file: &FileEntry) -> Result<Vec<u8>, BackupError> {
    let mut out = Vec::new();
    store.get(file, &mut out).map(|()| out)
}

fn objects(dir: &Path) -> Vec<PathBuf> {
    let folders = fs::read_dir(dir.join("objects")).unwrap().flatten();
    let folders = folders.map(|folder| folder.path()).filter(|folder| folder.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().flatten());
    files.map(|file| file.path()).collect()
}

#[test]
fn what_backups_share_is_stored_once_and_read_back() {
    for key in [None, Some(Key::new([3; 32]))] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), key.clone(), Access::Write).unwrap();
        let first = back_up(&mut store, 0, &[("a", b"one"), ("b/c", b"two")]);
        let second = back_up(&mut store, 0, &[("a", b"one"), ("b/c", b"three")]);
        assert_eq!((&*first.name, &*second.name), ("19700101-000000", "19700101-000000-2"));
        assert_eq!(objects(dir.path()).len(), 3);
        let wait = open(dir.path(), key.clone(), Access::Write).unwrap_err();
        assert!(matches!(wait, BackupError::Locked(_)), "{wait}");

        let reader = open(dir.path(), key, Access::Read).unwrap();
        assert_eq!(reader.backup(&first.name).unwrap(), first);
        assert_eq!(reader.newest().unwrap(), Some(second.clone()));
        assert_eq!(content(&reader, &first.files[1]).unwrap(), b"two");
        assert_eq!(content(&reader, &second.files[1]).unwrap(), b"three");
        assert_eq!(reader.verify(&reader.names().unwrap(), |_, _| ()).unwrap(), []);
    }
}

#[test]
fn zeros_at_the_end_take_no_space() {
    const MEGABYTE: usize = 1 << 20;
    for key in [None, Some(Key::new([3; 32]))] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), key, Access::Write).unwrap();
        let mut segment = vec![0; 3 * MEGABYTE];
        segment[MEGABYTE] = 7;
        let (log, zeros) = (("log", &*segment), ("zeros", &[0; 9][..]));
        let backup = back_up(&mut store, 0, &[log, zeros, ("empty", b"")]);
        let sizes = objects(dir.path()).into_iter().map(|path| fs::metadata(path).unwrap().len());
        let sizes: Vec<u64> = sizes.collect();
        assert!(sizes.iter().sum::<u64>() < MEGABYTE as u64 * 5 / 4, "{sizes:?}");
        for (file, expected) in backup.files.iter().zip([&*segment, &[0; 9], b""]) {
            assert_eq!(file.size, expected.len() as u64);
            assert!(content(&store, file).unwrap() == expected, "{}", file.path);
        }
        // The same is held, though its file is shorter than the content.
        assert!(!store.put(Path::new("log"), &*segment).unwrap().is_new);
    }
}

/// Format 1 stored the zeros.
#[test]
fn a_store_of_an_earlier_release_is_read_and_continued() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), None, Access::Write).unwrap();
    let backup = back_up(&mut store, 0, &[("log", b"a\0\0")]);
    let object = dir.path().join(store.object(&backup.files[0].sha256));
    drop(store);
    let description = dir.path().join("cartwheel-backup.json");
    fs::write(&object, b"a\0\0").unwrap();
    fs::write(&description, r#"{"format":1,"key_check":null}"#).unwrap();
    let reader = open(dir.path(), None, Access::Read).unwrap();
    assert_eq!(content(&reader, &backup.files[0]).unwrap(), b"a\0\0");
    // An earlier release refuses the store from now on, instead of naming damage.
    let writer = open(dir.path(), None, Access::Write).unwrap();
    assert_eq!(content(&writer, &backup.files[0]).unwrap(), b"a\0\0");
    assert!(fs::read_to_string(&description).unwrap().contains("\"format\":2"));
    fs::write(&description, r#"{"format":3,"key_check":null}"#).unwrap();
    drop(writer);
    let later = open(dir.path(), None, Access::Read).unwrap_err();
    assert!(matches!(later, BackupError::Later { found: 3, .. }), "{later}");
}

#[test]
fn a_key_is_asked_for_and_hides_the_content() {
    let dir = tempfile::tempdir().unwrap();
    let key = Key::new([3; 32]);
    let mut store = open(dir.path(), Some(key.clone()), Access::Write).unwrap();
    let backup = back_up(&mut store, 0, &[("secret-path", b"a text that nobody may read")]);
    drop(store);
    let mut files = objects(dir.path());
    files.push(dir.path().join("backups").join(format!("{}.json", backup.name)));
    for file in files {
        let bytes = fs::read(&file).unwrap();
        for text in [&b"nobody"[..], b"secret-path", backup.files[0].sha256.as_bytes()] {
            assert!(!bytes.windows(text.len()).any(|found| found == text));
            assert!(!file.to_string_lossy().contains(&backup.files[0].sha256));
        }
    }
    let refused = |key| open(dir.path(), key, Access::Read).unwrap_err();
    assert!(matches!(refused(None), BackupError::NeedsKey(_)));
    assert!(matches!(refused(Some(Key::new([4; 32]))), BackupError::WrongKey(_)));
    let plain = tempfile::tempdir().unwrap();
    drop(open(plain.path(), None, Access::Write).unwrap());
    let refused = open(plain.path(), Some(key), Access::Write).unwrap_err();
    assert!(matches!(refused, BackupError::NoKey(_)));
}

#[test]
fn every_damage_is_named() {
    for key in [None, Some(Key::new([3; 32]))] {
        let dir = tempfile::tempdir().unwrap();
        let mut store = open(dir.path(), key.clone(), Access::Write).unwrap();
        let backup = back_up(&mut store, 0, &[("a", b"one"), ("b", b"two"), ("same", b"one")]);
        let names = [backup.name.clone()];
        let found = |store: &Store| store.verify(&names, |_, _| ()).unwrap();
        let object = dir.path().join(store.object(&backup.files[0].sha256));
        let intact = fs::read(&object).unwrap();
        for at in 0..intact.len() {
            let mut changed = intact.clone();
            changed[at] ^= 4;
            fs::write(&object, changed).unwrap();
            let problems = found(&store);
            let paths: Vec<_> = problems.iter().filter_map(|p| p.path.as_deref()).collect();
            assert_eq!(paths, ["a", "same"], "byte {at}");
            assert!(problems[0].problem.contains(&object.display().to_string()));
        }
        // Of the same length, the damage shows only to who reads it.
        let put = |store: &mut Store| store.put(Path::new("a"), &b"one"[..]).unwrap().is_new;
        assert!(!put(&mut store));
        store.forget();
        assert!(put(&mut store));
        assert_eq!(found(&store), []);
        fs::remove_file(&object).unwrap();
        assert!(found(&store)[0].problem.contains("missing"));
        // The next backup stores it again.
        drop(store);
        let mut store = open(dir.path(), key, Access::Write).unwrap();
        store.put(Path::new("a"), &b"one"[..]).unwrap();
        assert_eq!(found(&store), []);
        let manifest = dir.path().join("backups").join(format!("{}.json", backup.name));
        let intact = fs::read(&manifest).unwrap();
        for at in (0..intact.len()).filter(|at| !intact[*at].is_ascii_whitespace()) {
            let mut changed = intact.clone();
            changed[at] ^= 1;
            fs::write(&manifest, changed).unwrap();
            assert_eq!(found(&store).len(), 1, "byte {at} of the backup's file");
        }
    }
}

#[test]
fn a_path_out_of_the_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), None, Access::Write).unwrap();
    for path in ["../outside", "/etc/passwd", "a/../../b", ""] {
        let backup = back_up(&mut store, 0, &[(path, b"x")]);
        let error = store.backup(&backup.name).unwrap_err();
        assert!(error.to_string().contains("is not a path"), "{path}: {error}");
    }
    let foreign = tempfile::tempdir().unwrap();
    fs::write(foreign.path().join("letter.txt"), "x").unwrap();
    let error = open(foreign.path(), None, Access::Write).unwrap_err();
    assert!(matches!(error, BackupError::Foreign(_)), "{error}");
    let error = open(&foreign.path().join("no"), None, Access::Read).unwrap_err();
    assert!(matches!(error, BackupError::Missing(_)), "{error}");
    assert!(store.backup("../backups/x").is_err());
}

#[test]
fn pruning_keeps_the_newest_whole() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path(), None, Access::Write).unwrap();
    for (at, text) in ["one", "two", "three"].iter().enumerate() {
        back_up(&mut store, at as i64 * 1000, &[("always", b"same"), ("now", text.as_bytes())]);
    }
    let pruned = store.prune(2).unwrap();
    assert_eq!((pruned.backups.len(), pruned.objects, pruned.bytes), (1, 1, 3));
    assert_eq!(store.verify(&store.names().unwrap(), |_, _| ()).unwrap(), []);
    // The newest is never removed.
    store.prune(0).unwrap();
    assert_eq!(store.newest().unwrap().unwrap().started_ms, 2000);
    assert_eq!(objects(dir.path()).len(), 2);
}
