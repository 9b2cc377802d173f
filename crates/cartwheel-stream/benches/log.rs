//! Measures durable puts per second, compared with the bound: `pwrite` and `fdatasync` on a
//! preallocated file. With `--restart` it measures opening and reading a log of 1 GB, compared
//! with only reading its files and their checksums; with `--checksums`, what the checksum of a record
//! costs beside its encoding. Prints one JSON object per line.

#![expect(clippy::expect_used, reason = "a benchmark that cannot run must stop")]
#![allow(clippy::disallowed_methods, reason = "a benchmark measures time")]

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cartwheel_events::{Event, EventRecord, Record};
use cartwheel_stream::{Log, LogFiles, LogOptions, Stream};

/// Number of repeats of a measurement on a whole log.
const REPEATS: usize = 5;
const TIME: Duration = Duration::from_secs(1);

fn record(user: usize) -> Record {
    let body = serde_json::json!({"user_id": format!("user-{user}"), "event": "add_to_cart",
                                  "product_ids": ["12345"]});
    let event = Event::from_json(&body).expect("the event is valid");
    Record::Event(EventRecord::new(event, "0190-0000".to_owned(), 1_700_000_000_000))
}

fn report(name: &str, count: u64, start: Instant) {
    let rate = count as f64 / start.elapsed().as_secs_f64();
    println!("{{\"name\": \"{name}\", \"per_second\": {rate:.0}}}");
}

/// Encodes records, and computes the checksums that the log adds to them.
fn checksums() {
    let records: Vec<Record> = (0..1000).map(record).collect();
    let (start, mut count, mut bytes) = (Instant::now(), 0, Vec::new());
    while start.elapsed() < TIME {
        bytes = records.iter().map(Record::to_vec).collect();
        count += bytes.len() as u64;
    }
    report("encode", count, start);
    let (start, mut count, mut all) = (Instant::now(), 0, 0);
    while start.elapsed() < TIME {
        all ^= bytes.iter().fold(0, |all, record| all ^ crc32c::crc32c(record));
        count += bytes.len() as u64;
    }
    assert!(std::hint::black_box(all) < u32::MAX, "it is computed");
    report("checksum", count, start);
}

/// Repeats one `pwrite` of a commit's bytes and one `fdatasync`.
fn bound(dir: &std::path::Path) {
    let path = dir.join("bound");
    std::fs::write(&path, vec![0; 32 << 20]).expect("the file is written");
    let file = std::fs::File::options().write(true).open(&path).expect("the file opens");
    file.sync_all().expect("the file is synced");
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        file.write_all_at(&[1; 256], (count * 256) % (32 << 20)).expect("it is written");
        file.sync_data().expect("it is synced");
        count += 1;
    }
    report("bound_1", count, start);
}

async fn clients(dir: &std::path::Path, clients: usize, batch: usize) {
    let log = Arc::new(Log::open(dir, LogOptions::new(|| 0)).expect("the log opens"));
    let start = Instant::now();
    let tasks = (0..clients).map(|client| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut count = 0_u64;
            while start.elapsed() < TIME {
                let records = (0..batch).map(|n| record(client + n)).collect();
                count += log.put(records).await.iter().filter(|r| r.is_ok()).count() as u64;
            }
            count
        })
    });
    let mut count = 0;
    for task in tasks.collect::<Vec<_>>() {
        count += task.await.expect("the client ends");
    }
    report(&format!("log_{clients}x{batch}"), count, start);
}

/// Writes a log of about 1 GB, then measures opening it, verifying it, and reading its bytes.
fn restart(runtime: &tokio::runtime::Runtime, dir: &std::path::Path) {
    let open = || Log::open(dir, LogOptions::new(|| 0)).expect("the log opens");
    let log = open();
    runtime.block_on(async {
        while log.stat().segments < (1 << 30) / (64 << 20) {
            let records = (0..5000).map(record).collect();
            assert!(log.put(records).await.iter().all(Result::is_ok), "records are stored");
        }
    });
    let bytes = log.stat().segments as f64 * 64.0 * 1.048_576;
    drop(log);
    for _ in 0..REPEATS {
        let start = Instant::now();
        let mut crc = 0;
        let mut chunk = vec![0; 1 << 20];
        for entry in std::fs::read_dir(dir).expect("the directory is read") {
            let path = entry.expect("the directory is read").path();
            let mut file = std::fs::File::open(path).expect("the file opens");
            loop {
                let n = file.read(&mut chunk).expect("the file is read");
                if n == 0 {
                    break;
                }
                crc = crc32c::crc32c_append(crc, &chunk[..n]);
            }
        }
        let bound = start.elapsed().as_secs_f64();
        assert!(crc != 0, "it is computed");
        let start = Instant::now();
        let found = LogFiles::verify(dir, |_, _| ()).expect("the log is read");
        let verified = start.elapsed().as_secs_f64();
        assert!(found.damaged.is_empty(), "the log is whole");
        let start = Instant::now();
        drop(open());
        let opened = start.elapsed().as_secs_f64();
        println!(
            "{{\"name\": \"restart\", \"megabytes\": {bytes:.0}, \"read_and_crc_s\": {bound:.3}, \
             \"verify_s\": {verified:.3}, \"open_s\": {opened:.3}}}"
        );
    }
}

fn main() {
    let dir = tempfile::tempdir_in(".").expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if std::env::args().any(|arg| arg == "--restart") {
        return restart(&runtime, &dir.path().join("large"));
    }
    if std::env::args().any(|arg| arg == "--checksums") {
        return checksums();
    }
    bound(dir.path());
    for (number, batch) in [(1, 1), (50, 1), (1, 500)] {
        runtime.block_on(clients(&dir.path().join(format!("{number}-{batch}")), number, batch));
    }
}
