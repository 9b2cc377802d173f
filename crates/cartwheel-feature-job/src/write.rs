//! Writes the result of the assemble phase, and with it the manifest.

use std::io;

use cartwheel_feature_set::{FeatureSetWriter, Manifest};
use cartwheel_features::Catalogue;
use cartwheel_recommend::FEATURES;
use sha2::{Digest, Sha256};

use crate::assemble::Assembled;
use crate::cross_validation::{self, FoldRows};
use crate::options::JobOptions;
use crate::search_rows::sample;
use crate::training_rows::{encode_keys, encode_rows};

/// What the manifest says besides the counts.
pub(crate) struct Origin {
    /// Name of the set.
    pub version: String,
    /// Erasures that the lake had completed when it was read.
    pub erasures: u64,
}

/// Writes rows, scaler, columns and, last, the manifest. `catalogue` names the products.
pub(crate) fn write(
    set: &mut impl FeatureSetWriter,
    catalogue: &Catalogue,
    assembled: &Assembled,
    origin: Origin,
    options: &JobOptions,
) -> io::Result<()> {
    let Assembled { assembly, train, valid, few_gate: _, scaler, negatives } = assembled;
    let gate_is_small = assembly.gate_users < options.min_gate_users as u64;
    // Encoding is most of the work, and files are stored one after the other.
    let keys = |rows, examples| encode_keys(rows, examples, catalogue);
    let of_train = || rayon::join(|| encode_rows(train), || keys(train, &assembly.train));
    let of_valid = || rayon::join(|| encode_rows(valid), || keys(valid, &assembly.valid));
    let of_search = || {
        let [learned, judged] = [(train, &assembly.train), (valid, &assembly.valid)]
            .map(|(rows, examples)| sample(rows, examples, options.seed));
        (encode_rows(&learned.rows), encode_rows(&judged.rows), judged.questions)
    };
    let of_held_out = || rayon::join(of_valid, || (!gate_is_small).then(of_search));
    let ((train_rows, train_keys), ((valid_rows, valid_keys), searched)) =
        rayon::join(of_train, of_held_out);
    set.train(&train_rows?, &train_keys?)?;
    set.valid(&valid_rows?, &valid_keys?)?;
    let cross = cross_validation::plan(assembled, gate_is_small);
    if !cross.folds.is_empty() {
        set.cross_validation(&cross.examples)?;
    }
    for &fold in &cross.folds {
        let FoldRows { train, valid } = cross_validation::rows(assembled, fold);
        set.fold(fold, &encode_rows(&train)?, &encode_rows(&valid)?)?;
    }
    let mut search_questions = 0;
    if let Some((learned, judged, questions)) = searched {
        set.search(&learned?, &judged?)?;
        search_questions = questions;
    }
    set.scaler(scaler)?;
    let schema_hash = short_hash(FEATURES.join(",").as_bytes());
    set.columns(&FEATURES, &schema_hash)?;
    set.manifest(&Manifest {
        version: origin.version,
        schema_hash,
        watermark_ms: assembly.watermark_ms,
        users: assembly.users,
        orders: assembly.orders,
        lines: assembly.lines,
        products: catalogue.products.len() as u64,
        train_rows: train.labels.len() as u64,
        negatives: *negatives,
        valid_rows: valid.labels.len() as u64,
        gate_examples: assembly.gate_examples,
        gate_users: Some(assembly.gate_users),
        cross_folds: cross.folds,
        judged_users: cross.users as u64,
        search_questions,
        label: assembly.label,
        without: options.without.clone(),
        unlearned: options.unlearned.clone(),
        parameters: catalogue.parameters,
        source_search: Some(assembly.source_search.clone()),
        seed: options.seed,
        erasures: origin.erasures,
    })
}

/// Returns the first 8 bytes of the SHA-256 hash, in hexadecimal.
pub(crate) fn short_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes)[..8])
}
