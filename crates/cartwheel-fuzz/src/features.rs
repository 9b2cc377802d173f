//! Binary files of a feature set: user records, catalogue, gate examples, histories.

use std::path::Path;

use cartwheel_feature_set::{FeatureSet, UserFile, files};
use cartwheel_features::UserState;

use crate::scratch::scratch;

/// Maximum number of user records to read.
const RECORDS: usize = 64;

/// Reads `bytes` as each binary file of a feature set, and as a user's record. An error must
/// name the file, an accepted catalogue may refer only to its own products, and an accepted
/// record must round-trip.
pub fn features(bytes: &[u8]) {
    let Ok(dir) = scratch() else { return };
    let catalogues = [files::CATALOGUE, files::CATALOGUES_OF_OTHERS[0]];
    for name in [files::USERS, files::GATE, files::HISTORIES].into_iter().chain(catalogues) {
        if std::fs::write(dir.path().join(name), bytes).is_err() {
            return;
        }
    }
    if let Ok(users) = UserFile::open(&dir.path().join(files::USERS)) {
        for at in 0..users.len().min(RECORDS) {
            if let Ok((user_id, _)) = users.record(at) {
                let _ = users.get(&user_id);
            }
        }
    }
    if let Ok(state) = UserState::decode(bytes) {
        assert!(UserState::decode(&state.encode()).is_ok());
    }
    let Some(set) = set(dir.path()) else { return };
    for catalogue in [set.catalogue(), set.catalogue_of_others(0)] {
        match catalogue {
            Ok(catalogue) => {
                let lists = [&catalogue.neighbours, &catalogue.transitions];
                let neighbours = lists.into_iter().flat_map(|lists| lists.items());
                let named = catalogue.popular.iter().copied();
                for product in named.chain(neighbours.map(|neighbour| neighbour.product)) {
                    assert!(catalogue.get(product).is_some(), "product {product} does not exist");
                }
            }
            Err(error) => assert!(error.to_string().contains("catalogue"), "{error}"),
        }
    }
    if let Err(error) = set.gate() {
        assert!(error.to_string().contains(files::GATE), "{error}");
    }
    match set.histories() {
        Ok(histories) => histories.judged.iter().for_each(|user| drop(user.baskets())),
        Err(error) => assert!(error.to_string().contains(files::HISTORIES), "{error}"),
    }
}

/// Opens the directory as a feature set.
fn set(dir: &Path) -> Option<FeatureSet> {
    const MANIFEST: &[u8] = include_bytes!("../../../fuzz/corpus/manifest/feature-set.json");
    std::fs::write(dir.join(files::MANIFEST), MANIFEST).ok()?;
    match FeatureSet::open(dir) {
        Ok(set) => Some(set),
        Err(error) => panic!("an earlier release's manifest cannot be read: {error}"),
    }
}
