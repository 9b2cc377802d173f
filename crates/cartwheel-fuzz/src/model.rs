//! Model files and bundles, from training or from elsewhere.

use std::io::Write;
use std::path::Path;

use cartwheel_forest::Forest;
use flate2::{Compression, write::GzEncoder};

use crate::scratch::scratch;

/// Reads a model file. An accepted model must give finite numbers for any row.
pub fn model(bytes: &[u8]) {
    if let Ok(forest) = Forest::from_bytes(bytes) {
        evaluate(&forest);
    }
}

/// Panics unless the forest gives finite numbers.
pub(crate) fn evaluate(forest: &Forest) {
    const VALUES: [f32; 6] = [f32::NAN, 0.0, -1.5, 1e30, f32::INFINITY, f32::NEG_INFINITY];
    let width = forest.features();
    // The header determines the width, which may be very large.
    let count = if width > 1000 { 1 } else { 7 };
    let rows: Vec<f32> =
        (0..count * width).map(|at| VALUES[(at + at / 5) % VALUES.len()]).collect();
    let mut out = vec![f32::NAN; count];
    forest.margins(&rows, &mut out);
    assert!(out.iter().all(|margin| margin.is_finite()), "margins {out:?}");
    forest.probabilities(&rows, &mut out);
    assert!(out.iter().all(|score| score.is_finite()), "probabilities {out:?}");
    let mut shares = vec![0.0; width];
    if let Ok(expected) = forest.contributions(&rows[..width], &mut shares) {
        assert!(expected.is_finite() && shares.iter().all(|share| share.is_finite()));
        assert!(forest.importance().is_ok());
    }
}

/// Separates the parts of a bundle's bytes.
pub(crate) const PART: u8 = 0xff;

/// Reads a bundle in three ways: `bytes` as an archive; an archive that is compressed here; and
/// a directory of files. The files are the parts of `bytes`: manifest, scaler, feature names,
/// and the archive before compression. An accepted bundle must be able to score.
pub fn bundle(bytes: &[u8]) {
    let _ = cartwheel_registry::extract(bytes);
    let mut parts = bytes.splitn(4, |&byte| byte == PART);
    let [manifest, scaler, features, archive] =
        std::array::from_fn(|_| parts.next().unwrap_or_default());
    let Ok(archive) = compressed(archive) else { return };
    let model = cartwheel_registry::extract(&archive);
    let Ok(dir) = scratch() else { return };
    let files = [
        ("manifest.json", manifest),
        ("scaler.json", scaler),
        ("features.json", features),
        ("model.tar.gz", &archive),
    ];
    let folder = dir.path().join("m");
    if write(&folder, &files).is_err() {
        return;
    }
    match cartwheel_registry::read(dir.path(), "m") {
        Ok(read) => {
            assert!(model.is_ok());
            assert!(read.scaler.fits(read.forest.features()));
            evaluate(&read.forest);
        }
        Err(error) => assert!(error.to_string().contains("bundle"), "{error}"),
    }
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(bytes)?;
    out.finish()
}

fn write(folder: &Path, files: &[(&str, &[u8])]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files.iter().try_for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes))
}
