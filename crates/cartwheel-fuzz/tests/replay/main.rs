//! The corpora, replayed: each file as it is and with seeded damage.

#![allow(clippy::unwrap_used)]

mod corpus;
mod measure;

use std::collections::BTreeSet;
use std::path::PathBuf;

use cartwheel_fuzz::{Numbers, TARGETS, damage, model_mutations, parquet_mutations};

/// Bytes of all corpora.
const MOST_BYTES: u64 = 200 << 10;
/// Most bytes that anything asks for at once, of a file that may claim any length.
const MOST_AT_ONCE: usize = 64 << 20;

fn fuzz(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "fuzz", path].iter().collect()
}

/// The files of a target's corpus.
fn files(target: &str) -> Vec<PathBuf> {
    let folder = fuzz("corpus").join(target);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Damaged copies of each file that are tried.
fn copies(target: &str) -> usize {
    match target {
        // These make files.
        "log" | "parquet" | "manifest" | "bundle" | "features" => 60,
        _ => 1000,
    }
}

#[test]
fn every_target_bears_its_corpus_and_damage_to_it() {
    for target in TARGETS {
        for path in files(target.name) {
            let whole = std::fs::read(&path).unwrap();
            (target.run)(&whole);
            let mut numbers = Numbers(20_261_126);
            for at in 0..copies(target.name) {
                let mut bytes = whole.clone();
                damage(&mut bytes, &mut numbers);
                let run = || (target.run)(&bytes);
                let kept = std::env::temp_dir().join("cartwheel-crash");
                if std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).is_err() {
                    std::fs::write(&kept, &bytes).unwrap();
                    panic!("{}, copy {at}: see {}", path.display(), kept.display());
                }
            }
        }
    }
    let largest = measure::largest();
    assert!(largest <= MOST_AT_ONCE, "{largest} bytes were asked for at once");
}

#[test]
fn each_target_has_a_corpus_and_a_program() {
    let names: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let listed = |path: &str, ending: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(fuzz(path)).unwrap();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| name.trim_end_matches(ending).to_owned())
            .collect()
    };
    assert_eq!(listed("corpus", ""), names);
    assert_eq!(listed("fuzz_targets", ".rs"), names);
    let manifest = std::fs::read_to_string(fuzz("Cargo.toml")).unwrap();
    let mut bytes = 0;
    for name in &names {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let files = files(name);
        assert!(!files.is_empty(), "{name}");
        bytes += files.iter().map(|path| path.metadata().unwrap().len()).sum::<u64>();
    }
    assert!(bytes <= MOST_BYTES, "the corpora hold {bytes} bytes");
}

#[test]
fn damaged_models_are_refused_or_give_finite_numbers() {
    let tried = model_mutations(20_260_101, 10_000);
    assert_eq!((tried.tried, tried.failures), (10_000, Vec::<String>::new()));
    // Were all of one kind, the damage would be too blunt or too mild to tell.
    assert!((5_000..9_500).contains(&tried.refused), "{} refused", tried.refused);
}

#[test]
fn damaged_parts_of_the_lake_leave_the_others_readable() {
    let tried = parquet_mutations(20_260_101, 400);
    assert_eq!((tried.tried, tried.failures), (400, Vec::<String>::new()));
    assert!((40..400).contains(&tried.refused), "{} refused", tried.refused);
}
