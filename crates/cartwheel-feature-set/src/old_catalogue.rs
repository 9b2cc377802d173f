//! Catalogues of earlier releases, so that a shop answers after an update of the software until the
//! pipeline has run:
//!
//! - a signature, lengths of parts, the catalogue without its products, affinities, what follows them,
//!   and the products in parts;
//! - a signature, the products, the catalogue without them, affinities, and what follows them, which may
//!   end before any of its pieces;
//! - before there were signatures, the products and a few counts, without transitions, hazards and
//!   orders over time.
//!
//! All is in postcard, with a list of neighbours in each product.

use cartwheel_features::{
    Affinities, Attention, Catalogue, Contents, Hazard, Lists, Neighbour, Product, ProductInfo,
    ProductStats, Related, Trail, Visits, WordIndex,
};
use serde::{Deserialize, de::DeserializeOwned};

const WITH_LENGTHS: &[u8; 8] = b"\x80\x80\x80\x00CWC3";
const WITHOUT_LENGTHS: &[u8; 8] = b"\x80\x80\x80\x00CWC2";

/// Decodes a catalogue of an earlier release. Whether it is sound is not checked.
///
/// # Errors
/// When the bytes are not such a catalogue.
pub(crate) fn decode(bytes: &[u8]) -> postcard::Result<Catalogue> {
    if let Some(bytes) = bytes.strip_prefix(WITH_LENGTHS) {
        with_lengths(bytes)
    } else if let Some(bytes) = bytes.strip_prefix(WITHOUT_LENGTHS) {
        without_lengths(bytes)
    } else {
        postcard::from_bytes::<Unsigned>(bytes).map(Catalogue::from)
    }
}

const DAMAGED: postcard::Error = postcard::Error::DeserializeBadEncoding;

fn with_lengths(bytes: &[u8]) -> postcard::Result<Catalogue> {
    let (count, rest) = bytes.split_first_chunk::<4>().ok_or(DAMAGED)?;
    let count = u32::from_le_bytes(*count) as usize;
    let (lengths, mut rest) =
        count.checked_mul(8).and_then(|size| rest.split_at_checked(size)).ok_or(DAMAGED)?;
    let mut parts = Vec::with_capacity(lengths.len() / 8);
    for &length in lengths.as_chunks::<8>().0 {
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| DAMAGED)?;
        let (part, others) = rest.split_at_checked(length).ok_or(DAMAGED)?;
        parts.push(part);
        rest = others;
    }
    let ([head, affinities, after], of_products) =
        parts.split_first_chunk::<3>().filter(|_| rest.is_empty()).ok_or(DAMAGED)?;
    let mut products = Vec::new();
    for part in of_products {
        products.extend(whole::<Vec<OldProduct>>(part)?);
    }
    let mut catalogue = of_parts(whole(head)?, products);
    catalogue.affinities = whole::<OldAffinities>(affinities)?.into();
    after_affinities(after, &mut catalogue)?;
    Ok(catalogue)
}

fn without_lengths(bytes: &[u8]) -> postcard::Result<Catalogue> {
    let (products, rest) = postcard::take_from_bytes(bytes)?;
    let (head, rest) = postcard::take_from_bytes(rest)?;
    let mut catalogue = of_parts(head, products);
    let mut affinities = OldAffinities::default();
    let rest = later(rest, &mut affinities)?;
    catalogue.affinities = affinities.into();
    after_affinities(rest, &mut catalogue)?;
    Ok(catalogue)
}

/// Decodes what follows the affinities.
fn after_affinities(bytes: &[u8], catalogue: &mut Catalogue) -> postcard::Result<()> {
    let rest = later(bytes, &mut catalogue.without)?;
    let mut contents = OldContents::default();
    let rest = later(rest, &mut contents)?;
    let rest = later(rest, &mut catalogue.parameters)?;
    let mut words = WordIndex::default();
    let rest = later(rest, &mut words)?;
    let rest = later(rest, &mut catalogue.cadences)?;
    let OldContents { alike, prices } = contents;
    catalogue.contents = Contents { alike: alike.into_iter().collect(), prices, words }.into();
    if rest.is_empty() { Ok(()) } else { Err(DAMAGED) }
}

/// Decodes a piece that earlier releases did not write, and returns the bytes after it.
fn later<'a, T: Deserialize<'a>>(bytes: &'a [u8], piece: &mut T) -> postcard::Result<&'a [u8]> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let (read, rest) = postcard::take_from_bytes(bytes)?;
    *piece = read;
    Ok(rest)
}

/// Decodes a value that takes all bytes.
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> postcard::Result<T> {
    let (value, rest) = postcard::take_from_bytes(bytes)?;
    if rest.is_empty() { Ok(value) } else { Err(DAMAGED) }
}

fn of_parts(head: Head, products: Vec<OldProduct>) -> Catalogue {
    let mut catalogue = Catalogue::default();
    (catalogue.popular, catalogue.trail, catalogue.others) =
        (head.popular, head.trail, head.others);
    (catalogue.lines, catalogue.orders, catalogue.users) = (head.lines, head.orders, head.users);
    let OldVisits { related, attention, all, visits } = head.visits;
    let mut lists = Related::default();
    for OldRelated { follows, together, leads_to } in related {
        lists.follows.push(&follows);
        lists.together.push(&together);
        lists.leads_to.push(&leads_to);
    }
    catalogue.visits = Visits::new(lists, attention, all, visits);
    for old in products {
        catalogue.neighbours.push(&old.neighbours);
        catalogue.transitions.push(&old.transitions);
        catalogue.products.push(Product {
            info: old.info,
            stats: old.stats,
            aisle: old.aisle,
            department: old.department,
            rank: old.rank,
            hazard: old.hazard,
            trail: old.trail,
        });
    }
    catalogue
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct Head {
    popular: Vec<u32>,
    lines: u64,
    orders: u64,
    users: u64,
    trail: Trail,
    others: Option<f32>,
    visits: OldVisits,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldProduct {
    info: ProductInfo,
    stats: ProductStats,
    aisle: u32,
    department: u32,
    rank: u32,
    neighbours: Vec<Neighbour>,
    transitions: Vec<Neighbour>,
    hazard: Hazard,
    trail: Trail,
}

#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldVisits {
    related: Vec<OldRelated>,
    attention: Vec<Attention>,
    all: Trail,
    visits: Vec<Box<[u32]>>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldRelated {
    follows: Vec<Neighbour>,
    together: Vec<Neighbour>,
    leads_to: Vec<Neighbour>,
}

#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldAffinities {
    companions: Vec<Vec<Neighbour>>,
    attractions: Vec<Vec<Neighbour>>,
}

impl From<OldAffinities> for Affinities {
    fn from(OldAffinities { companions, attractions }: OldAffinities) -> Self {
        let [companions, attractions] =
            [companions, attractions].map(|lists| lists.into_iter().collect::<Lists<Neighbour>>());
        Self { companions, attractions }
    }
}

#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(serde::Serialize))]
struct OldContents {
    alike: Vec<Vec<Neighbour>>,
    prices: Vec<f32>,
}

/// A catalogue without a signature.
#[derive(Deserialize)]
struct Unsigned {
    products: Vec<UnsignedProduct>,
    popular: Vec<u32>,
    lines: u64,
    orders: u64,
    users: u64,
}

#[derive(Deserialize)]
struct UnsignedProduct {
    info: ProductInfo,
    stats: ProductStats,
    aisle: u32,
    department: u32,
    rank: u32,
    neighbours: Vec<Neighbour>,
}

impl From<Unsigned> for Catalogue {
    fn from(old: Unsigned) -> Self {
        let product = |old: UnsignedProduct| OldProduct {
            info: old.info,
            stats: old.stats,
            aisle: old.aisle,
            department: old.department,
            rank: old.rank,
            neighbours: old.neighbours,
            transitions: Vec::new(),
            hazard: Hazard::default(),
            trail: Trail::default(),
        };
        let head = Head {
            popular: old.popular,
            lines: old.lines,
            orders: old.orders,
            users: old.users,
            trail: Trail::default(),
            others: None,
            visits: OldVisits::default(),
        };
        of_parts(head, old.products.into_iter().map(product).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tea() -> OldProduct {
        let info =
            ProductInfo { product_id: "tea".into(), name: "Tea".into(), ..ProductInfo::default() };
        OldProduct {
            info,
            stats: ProductStats { orders: 3, ..ProductStats::default() },
            aisle: 0,
            department: 0,
            rank: 0,
            neighbours: vec![Neighbour { product: 0, score: 0.5 }],
            transitions: vec![Neighbour { product: 0, score: 0.25 }],
            hazard: Hazard::default(),
            trail: Trail::default(),
        }
    }

    fn head() -> Head {
        let (trail, visits) = Default::default();
        Head { popular: vec![0], lines: 3, orders: 2, users: 1, trail, others: None, visits }
    }

    fn affinities() -> OldAffinities {
        let of = |score| vec![vec![Neighbour { product: 0, score }]];
        OldAffinities { companions: of(0.5), attractions: of(0.75) }
    }

    /// What follows the affinities, piece by piece.
    fn after() -> [Vec<u8>; 5] {
        let contents = OldContents {
            alike: vec![vec![Neighbour { product: 0, score: 1.0 }]],
            prices: vec![2.0],
        };
        let standard = Catalogue::default();
        [
            postcard::to_allocvec(&standard.without).unwrap(),
            postcard::to_allocvec(&contents).unwrap(),
            postcard::to_allocvec(&standard.parameters).unwrap(),
            postcard::to_allocvec(&WordIndex::default()).unwrap(),
            postcard::to_allocvec(&standard.cadences).unwrap(),
        ]
    }

    fn score(list: &[Neighbour]) -> f32 {
        list.iter().map(|neighbour| neighbour.score).sum()
    }

    #[test]
    fn a_catalogue_with_lengths_is_read() {
        let parts = [
            postcard::to_allocvec(&head()).unwrap(),
            postcard::to_allocvec(&affinities()).unwrap(),
            after().concat(),
            postcard::to_allocvec(&[tea()][..]).unwrap(),
        ];
        let mut bytes = WITH_LENGTHS.to_vec();
        bytes.extend(4_u32.to_le_bytes());
        parts.iter().for_each(|part| bytes.extend((part.len() as u64).to_le_bytes()));
        let whole = [bytes, parts.concat()].concat();
        let read = decode(&whole).unwrap();
        assert!(read.is_sound());
        let scores = [
            read.neighbours.of(0),
            read.transitions.of(0),
            read.affinities.companions(0),
            read.affinities.attractions(0),
            read.contents.alike(0),
        ];
        assert_eq!(scores.map(score), [0.5, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(
            (read.products[0].info.name.as_str(), read.contents.price(0)),
            ("Tea", Some(2.0))
        );
        assert_eq!((read.popular, read.lines, read.orders, read.users), (vec![0], 3, 2, 1));
        assert!((0..whole.len()).all(|end| decode(&whole[..end]).is_err()));
    }

    #[test]
    fn a_catalogue_without_lengths_is_read() {
        let bytes = postcard::to_extend(&[tea()][..], WITHOUT_LENGTHS.to_vec()).unwrap();
        let mut bytes = postcard::to_extend(&head(), bytes).unwrap();
        // Releases wrote more and more pieces.
        let mut ends = vec![bytes.len()];
        let affinities = postcard::to_allocvec(&affinities()).unwrap();
        for piece in [affinities].into_iter().chain(after()) {
            bytes.extend(piece);
            ends.push(bytes.len());
        }
        for end in ends {
            let read = decode(&bytes[..end]).unwrap();
            assert_eq!((score(read.neighbours.of(0)), read.lines), (0.5, 3));
        }
        bytes.push(0);
        assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_catalogue_without_a_signature_is_read() {
        // One product, "tea" of aisle and department "".
        let bytes = [
            &[1, 3][..],
            b"tea",
            &[3],
            b"Tea",
            &[0, 0], // texts
            &[3, 0, 0, 0],
            &[0, 0, 0],           // counts, categories and rank
            &[1, 0, 0, 0, 0, 63], // one neighbour of score 0.5
            &[1, 0],
            &[3, 2, 1], // popular, lines, orders, users
        ];
        let read = decode(&bytes.concat()).unwrap();
        assert_eq!((&*read.products[0].info.name, score(read.neighbours.of(0))), ("Tea", 0.5));
        assert_eq!((read.popular, read.lines, read.orders, read.users), (vec![0], 3, 2, 1));
    }
}
