//! Flipped bits in the files of sessions and catalogue.

use std::path::Path;

use cartwheel_events::ProductId;

use super::*;
use crate::catalogue::conformance::change;

/// Flips bits all over a file, and more of them at its beginning; calls `check` with the path of a
/// damaged copy. Returns the number of flips.
fn flip(whole: &Path, folder: &Path, check: impl Fn(&Path)) -> usize {
    let bytes = std::fs::read(whole).unwrap();
    let written: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    // The header is small and holds what all else depends on.
    let header = (0..64).step_by(2).chain((64..320).step_by(8)).map(|at| (at, at % 8));
    let spread = written.iter().step_by((written.len() / 60).max(1)).map(|at| (*at, at % 7));
    let flips: Vec<(usize, usize)> = header.chain(spread).collect();
    for (number, (at, bit)) in flips.iter().enumerate() {
        let path = folder.join(format!("{number}.redb"));
        let mut damaged = bytes.clone();
        damaged[*at] ^= 1 << bit;
        std::fs::write(&path, damaged).unwrap();
        check(&path);
        std::fs::remove_file(&path).unwrap();
    }
    flips.len()
}

#[test]
fn a_flipped_bit_in_the_sessions_file_is_noticed_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.redb");
    let session = Arc::new(session_of(&[("view", &["a"]), ("add_to_cart", &["b"])]));
    let users: Vec<UserId> = (0..50).map(|n| user(&format!("u{n}"))).collect();
    {
        let table = RedbSessionTable::new(&path);
        let mut sessions = users.iter().map(|user| (user.clone(), session.clone()));
        table.commit(&[at(7), Position { shard: 1, sequence: 9.into() }], &mut sessions).unwrap();
    }
    let (lost, same) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let refused = AtomicUsize::new(0);
    let flips = flip(&path, folder.path(), |path| {
        let aside = path.with_extension("damaged");
        let table = RedbSessionTable::new(path);
        let Ok(checkpoint) = table.newest_checkpoint() else {
            // It seems to be of another version of redb.
            refused.fetch_add(1, Ordering::SeqCst);
            return;
        };
        let next = table.checkpoint(3).unwrap();
        if aside.exists() {
            // It is moved aside, and the stream replayed.
            assert_eq!((next, checkpoint), (Sequence::default(), Sequence::default()));
            std::fs::remove_file(aside).unwrap();
            lost.fetch_add(1, Ordering::SeqCst);
            return;
        }
        assert_eq!((next, checkpoint), (7.into(), 9.into()));
        for user in &users {
            assert_eq!(table.session(user).unwrap().as_ref(), Some(&*session));
        }
        same.fetch_add(1, Ordering::SeqCst);
    });
    let (lost, same, refused) = (lost.into_inner(), same.into_inner(), refused.into_inner());
    assert_eq!(lost + same + refused, flips);
    assert!(
        lost > flips / 4 && refused < 8,
        "{lost} noticed, {same} without effect, {refused} refused"
    );
}

#[test]
fn a_flipped_bit_in_the_catalogue_file_is_noticed_or_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalogue.redb");
    let products: Vec<ProductId> =
        (0..50).map(|n| ProductId::new(format!("p{n}")).unwrap()).collect();
    {
        let catalogue = LiveCatalogue::open(&path).unwrap();
        for (product, sequence) in products.iter().zip(1_u64..) {
            let record = change(product.as_str(), Some(json!({"name": "tea"})), NOW);
            catalogue.apply(at(sequence), &record);
        }
        catalogue.advance(3, 51.into());
        catalogue.flush().unwrap();
    }
    let noticed = AtomicUsize::new(0);
    let flips = flip(&path, folder.path(), |path| {
        let Ok(catalogue) = LiveCatalogue::open(path) else {
            noticed.fetch_add(1, Ordering::SeqCst);
            return;
        };
        let aside = path.with_extension("damaged");
        if aside.exists() {
            assert!(catalogue.is_fresh(), "it comes from lake and stream again");
            std::fs::remove_file(aside).unwrap();
            noticed.fetch_add(1, Ordering::SeqCst);
            return;
        }
        assert_eq!(catalogue.checkpoint(3), 51);
        for product in &products {
            let name = catalogue.get(product).unwrap().product.as_ref().unwrap().name.clone();
            assert_eq!(name.as_deref(), Some("tea"));
        }
    });
    let noticed = noticed.into_inner();
    assert!(noticed > flips / 4, "{noticed} of {flips} noticed");
}
