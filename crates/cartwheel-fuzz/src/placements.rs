//! Documents of placements.

use cartwheel_placements::{MAX_CHAIN, Placements};

/// Any bytes are a valid document or are refused with the field. An accepted document is read back as
/// the same, and each of its placements has a bounded chain that begins with its own kind.
pub fn placements(bytes: &[u8]) {
    let Ok(document) = serde_json::from_slice::<Placements>(bytes) else { return };
    if let Err(invalid) = document.check() {
        assert!(!invalid.detail.is_empty() && !invalid.expected.is_empty(), "{invalid:?}");
        let name = &invalid.placement;
        let is_known = document.placements.keys().any(|known| known.starts_with(name.as_str()));
        assert!(name.is_empty() || is_known, "{invalid:?}");
        return;
    }
    let written = serde_json::to_vec(&document).unwrap_or_default();
    let read = serde_json::from_slice::<Placements>(&written).ok();
    assert_eq!(read.as_ref(), Some(&document));
    for (name, placement) in &document.placements {
        let chain = document.chain(name);
        assert!((1..=MAX_CHAIN).contains(&chain.len()), "{name}: {}", chain.len());
        assert_eq!(chain[0].kind, placement.kind, "{name}");
        assert_eq!(chain[0].filters, placement.filter.as_slice(), "{name}");
    }
}
