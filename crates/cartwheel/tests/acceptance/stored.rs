//! Inspection of the data directory from the command line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use parquet::file::metadata::{
    FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
};
use serde_json::{Value, json};

use crate::shop::{Server, cartwheel, shop, wait_for_delivery};

#[test]
fn the_stream_can_be_counted_verified_and_followed_while_in_use() {
    let data = shop();
    let server = Server::start(data.path());
    for n in 0..20 {
        let body = json!({"user_id": format!("u{n}"), "event": "view", "product_ids": ["3"],
                          "event_id": format!("e{n}")});
        assert_eq!(server.post("/v1/events", &body).unwrap().0, 200);
    }
    let stat = cartwheel(data.path(), &["stream", "stat", "--json"]).unwrap();
    let stat: Value = serde_json::from_str(&stat).unwrap();
    let records = stat["records"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap());
    assert_eq!((records.sum::<u64>(), &stat["next"]), (20, &json!(20)), "{stat}");
    let intact = cartwheel(data.path(), &["stream", "verify"]).unwrap();
    assert!(intact.contains("Every record is intact"), "{intact}");
    let tail = cartwheel(data.path(), &["stream", "tail", "-n", "3"]).unwrap();
    let lines: Vec<Value> = tail.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> =
        lines.iter().map(|line| line["record"]["event_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["e17", "e18", "e19"]);
    server.stop();
    // A flipped bit is detected.
    let segment = data.path().join("stream/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(4).position(|w| w == b"\"e5\"").unwrap();
    bytes[at + 1] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let error = cartwheel(data.path(), &["stream", "verify"]).unwrap_err();
    assert!(error.contains("records are missing at 1 places"), "{error}");
}

/// Copies a part, with a footer whose column offsets lie before the start of the file, and without
/// the checksum that would tell.
fn with_a_lying_footer(part: &Path) -> PathBuf {
    let footer = ParquetMetaDataReader::new().parse_and_finish(&File::open(part).unwrap()).unwrap();
    let groups = footer.row_groups().iter().map(|group| {
        let lie = |column: parquet::file::metadata::ColumnChunkMetaData| {
            column.into_builder().set_dictionary_page_offset(Some(-4)).build().unwrap()
        };
        let columns = group.columns().iter().cloned().map(lie).collect();
        group.clone().into_builder().set_column_metadata(columns).build().unwrap()
    });
    let file = footer.file_metadata();
    let others = file.key_value_metadata().into_iter().flatten();
    let others = others.filter(|entry| entry.key != "cartwheel.crc32c").cloned().collect();
    let file = FileMetaData::new(
        file.version(),
        file.num_rows(),
        Some("another writer".to_owned()),
        Some(others),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let lying = ParquetMetaData::new(file, groups.collect());
    let mut bytes = std::fs::read(part).unwrap();
    ParquetMetaDataWriter::new(&mut bytes, &lying).finish().unwrap();
    let copy = part.with_file_name("part-0000-00000000000000000900-00000000000000000901.parquet");
    std::fs::write(&copy, bytes).unwrap();
    copy
}

fn a_part(folder: &Path) -> PathBuf {
    let path = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    if path.is_dir() { a_part(&path) } else { path }
}

#[test]
fn a_part_that_panics_the_reader_is_named_and_the_others_are_read() {
    let data = shop();
    let server = Server::start(data.path());
    let bought = json!({"user_id": "a-new-one", "event": "checkout", "product_ids": ["3", "7"]});
    assert_eq!(server.post("/v1/events", &bought).unwrap().0, 200);
    wait_for_delivery(data.path(), 1);
    server.stop();
    let users = |set: &[u8]| serde_json::from_slice::<Value>(set).unwrap()["users"].clone();
    let whole = cartwheel(data.path(), &["--json", "features"]).unwrap();
    let part = with_a_lying_footer(&a_part(&data.path().join("lake/events")));
    let out = Command::new(env!("CARGO_BIN_EXE_cartwheel"))
        .args(["--json", "--data-dir"])
        .arg(data.path())
        .arg("features")
        .output()
        .unwrap();
    let said = String::from_utf8(out.stderr).unwrap();
    assert!(out.status.success() && !said.contains("panicked"), "{said}");
    let named = said.lines().find(|line| line.contains(part.to_str().unwrap()));
    assert!(named.is_some_and(|line| line.contains("the file is damaged: ")), "{said}");
    assert_eq!(users(&out.stdout), users(whole.as_bytes()));
}
