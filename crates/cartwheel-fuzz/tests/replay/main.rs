//! Replays the corpora: each file as it is, and with seeded damage.

#![allow(clippy::unwrap_used)]

mod corpus;
mod measure;

use std::collections::BTreeSet;
use std::path::PathBuf;

use cartwheel_fuzz::{SplitMix64, TARGETS, damage, model_mutations, parquet_mutations};

/// Maximum total size of the corpora in bytes.
const MAX_CORPUS_BYTES: u64 = 200 << 10;
/// Largest allocation allowed, since a file may claim any length.
const MAX_ALLOCATION: usize = 64 << 20;

fn fuzz(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", "fuzz", path].iter().collect()
}

/// Returns the files of a target's corpus.
fn files(target: &str) -> Vec<PathBuf> {
    let folder = fuzz("corpus").join(target);
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Returns the number of damaged copies of each file to try.
fn copies(target: &str) -> usize {
    match target {
        // These targets write files, which takes longer.
        "log" | "parquet" | "manifest" | "bundle" | "features" | "import" => 60,
        _ => 1000,
    }
}

#[test]
fn every_target_survives_its_corpus_and_damage_to_it() {
    for target in TARGETS {
        for path in files(target.name) {
            let whole = std::fs::read(&path).unwrap();
            (target.run)(&whole);
            let mut rng = SplitMix64(20_261_126);
            for at in 0..copies(target.name) {
                let mut bytes = whole.clone();
                damage(&mut bytes, &mut rng);
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
    assert!(largest <= MAX_ALLOCATION, "{largest} bytes were allocated at once");
}

#[test]
fn every_target_has_a_corpus_and_a_program() {
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
    assert!(bytes <= MAX_CORPUS_BYTES, "the corpora hold {bytes} bytes");
}

#[test]
fn damaged_models_are_rejected_or_give_finite_numbers() {
    let report = model_mutations(20_260_101, 10_000);
    assert_eq!((report.tried, report.failures), (10_000, Vec::<String>::new()));
    // If nearly all or too few were rejected, the damage would test little.
    assert!((5_000..9_500).contains(&report.refused), "{} rejected", report.refused);
}

#[test]
fn damaged_parts_of_the_lake_leave_the_others_readable() {
    let report = parquet_mutations(20_260_101, 400);
    assert_eq!((report.tried, report.failures), (400, Vec::<String>::new()));
    assert!((40..400).contains(&report.refused), "{} rejected", report.refused);
}
