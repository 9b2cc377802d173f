//! Catalogues as bytes, in parts that are read side by side:
//!
//! ```text
//! signature    8 bytes
//! parts        their number u32, and the length of each u64 (little-endian)
//! part 0       the catalogue without its products, in postcard as all parts
//! part 1       affinities
//! part 2       sources that are switched off, contents, parameters of the sources, words of the
//!              contents, how soon products are bought again
//! part 3 …     the products, some thousands in each
//! ```
//!
//! Catalogues of earlier releases are a signature, the products, and then the parts 0 to 2 without
//! lengths; they may end before any of those after the catalogue.
//!
//! Catalogues of releases before the signature have no transitions, no hazards and no orders
//! over time. They are read as far as they go, so that a shop answers after an update of the
//! software until the pipeline has run.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use cartwheel_features::{
    Catalogue, Contents, Neighbour, Product, ProductInfo, ProductStats, WordIndex,
};
use rayon::prelude::*;
use serde::{Deserialize, de::DeserializeOwned};

/// No catalogue without a signature begins with these bytes: as a number of products, they are
/// written with fewer.
const SIGNATURE: &[u8; 8] = b"\x80\x80\x80\x00CWC3";
/// The signature of catalogues without lengths.
const WITHOUT_LENGTHS: &[u8; 8] = b"\x80\x80\x80\x00CWC2";
/// Products of one part, of some 600 bytes each.
const PRODUCTS_PER_PART: usize = 4_096;
/// Parts before those of the products.
const FIRST_PARTS: usize = 3;

/// Encodes a catalogue.
///
/// # Errors
/// When memory is exhausted.
pub fn encode_catalogue(catalogue: &Catalogue) -> postcard::Result<Vec<u8>> {
    let products = catalogue.products.chunks(PRODUCTS_PER_PART);
    let count = FIRST_PARTS + products.len();
    let mut bytes = SIGNATURE.to_vec();
    bytes.extend((count as u32).to_le_bytes());
    let mut at = bytes.len();
    bytes.resize(at + 8 * count, 0);
    let mut start = bytes.len();
    let mut end_part = |bytes: &mut [u8]| {
        let end = bytes.len();
        bytes[at..at + 8].copy_from_slice(&((end - start) as u64).to_le_bytes());
        (at, start) = (at + 8, end);
    };
    bytes = postcard::to_extend(catalogue, bytes)?;
    end_part(&mut bytes);
    bytes = postcard::to_extend(&catalogue.affinities, bytes)?;
    end_part(&mut bytes);
    bytes = postcard::to_extend(&catalogue.without, bytes)?;
    bytes = postcard::to_extend(&*catalogue.contents, bytes)?;
    bytes = postcard::to_extend(&catalogue.parameters, bytes)?;
    bytes = postcard::to_extend(catalogue.contents.words(), bytes)?;
    bytes = postcard::to_extend(&catalogue.cadences, bytes)?;
    end_part(&mut bytes);
    for products in products {
        bytes = postcard::to_extend(products, bytes)?;
        end_part(&mut bytes);
    }
    Ok(bytes)
}

/// Decodes a catalogue and checks that it refers to products of its own alone.
///
/// # Errors
/// When the bytes are not a catalogue; the text says why.
pub fn decode_catalogue(bytes: &[u8]) -> Result<Catalogue, String> {
    decode(&Stored::Bytes(bytes), bytes.len() as u64).map_err(|error| error.to_string())
}

/// Reads a catalogue from a file, as [`decode_catalogue`] does. Memory for a part of the file is
/// used again for the next one: pages that a process touches for the first time cost more than
/// what is read into them.
///
/// # Errors
/// When the file cannot be read or is not a catalogue.
pub(crate) fn read_catalogue(path: &Path) -> io::Result<Catalogue> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    decode(&Stored::File(&file), length)
}

/// Where a catalogue is.
enum Stored<'a> {
    Bytes(&'a [u8]),
    File(&'a File),
}

impl Stored<'_> {
    /// Returns a part, which may be read into `buffer`. The range ends within the catalogue.
    fn part<'a>(&'a self, range: Range<u64>, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Ok(&bytes[range.start as usize..range.end as usize]),
            Self::File(file) => {
                buffer.resize((range.end - range.start) as usize, 0);
                file.read_exact_at(buffer, range.start)?;
                Ok(buffer)
            }
        }
    }
}

fn decode(stored: &Stored<'_>, length: u64) -> io::Result<Catalogue> {
    let mut buffer = Vec::new();
    let catalogue = if stored.part(0..length.min(8), &mut buffer)? == SIGNATURE {
        in_parts(stored, length)
    } else {
        let bytes = stored.part(0..length, &mut buffer)?;
        match bytes.strip_prefix(WITHOUT_LENGTHS) {
            Some(bytes) => without_lengths(bytes),
            None => postcard::from_bytes::<Unsigned>(bytes).map(Catalogue::from),
        }
        .map_err(io::Error::other)
    }?;
    if catalogue.is_sound() {
        return Ok(catalogue.indexed());
    }
    Err(io::Error::other("the catalogue refers to products that it does not contain"))
}

/// Decodes a catalogue in parts.
fn in_parts(stored: &Stored<'_>, length: u64) -> io::Result<Catalogue> {
    let ranges = ranges(stored, length)?;
    let (first, of_products) = ranges.split_at_checked(FIRST_PARTS).ok_or_else(damaged)?;
    let first = || {
        let mut buffer = Vec::new();
        let mut catalogue: Catalogue = whole(stored.part(first[0].clone(), &mut buffer)?)?;
        catalogue.affinities = whole(stored.part(first[1].clone(), &mut buffer)?)?;
        let rest = stored.part(first[2].clone(), &mut buffer)?;
        after_affinities(rest, &mut catalogue).map_err(io::Error::other)?;
        Ok(catalogue)
    };
    let products = || -> io::Result<Vec<Vec<Product>>> {
        let read =
            |buffer: &mut Vec<u8>, range: &Range<u64>| whole(stored.part(range.clone(), buffer)?);
        of_products.par_iter().map_init(Vec::new, read).collect()
    };
    let (catalogue, products): (io::Result<Catalogue>, _) = rayon::join(first, products);
    let (mut catalogue, products) = (catalogue?, products?);
    catalogue.products.reserve_exact(products.iter().map(Vec::len).sum());
    products.into_iter().for_each(|products| catalogue.products.extend(products));
    Ok(catalogue)
}

/// Where the parts are: one after another up to the end.
fn ranges(stored: &Stored<'_>, length: u64) -> io::Result<Vec<Range<u64>>> {
    let mut buffer = Vec::new();
    let lengths = |count: u64| (8 + 4, 8 + 4 + 8 * count);
    let (start, _) = lengths(0);
    if length < start {
        return Err(damaged());
    }
    let count = stored.part(8..start, &mut buffer)?.iter().rev();
    let count = count.fold(0, |number, &byte| (number << 8) | u64::from(byte));
    let (start, mut end) = lengths(count);
    if length < end {
        return Err(damaged());
    }
    let (lengths, _) = stored.part(start..end, &mut buffer)?.as_chunks::<8>();
    let mut ranges = Vec::with_capacity(lengths.len());
    for &part in lengths {
        let start = end;
        end = start
            .checked_add(u64::from_le_bytes(part))
            .filter(|&end| end <= length)
            .ok_or_else(damaged)?;
        ranges.push(start..end);
    }
    if end == length { Ok(ranges) } else { Err(damaged()) }
}

fn damaged() -> io::Error {
    io::Error::other("the catalogue is cut off or damaged")
}

/// Decodes a value that takes all bytes.
fn whole<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).map_err(io::Error::other)?;
    if rest.is_empty() { Ok(value) } else { Err(damaged()) }
}

/// Decodes the part after the signature of a catalogue without lengths.
fn without_lengths(bytes: &[u8]) -> postcard::Result<Catalogue> {
    let (products, rest) = postcard::take_from_bytes(bytes)?;
    let (mut catalogue, rest) = postcard::take_from_bytes::<Catalogue>(rest)?;
    catalogue.products = products;
    let rest = later(rest, &mut catalogue.affinities)?;
    after_affinities(rest, &mut catalogue)?;
    Ok(catalogue)
}

/// Decodes what follows the affinities.
fn after_affinities(bytes: &[u8], catalogue: &mut Catalogue) -> postcard::Result<()> {
    let rest = later(bytes, &mut catalogue.without)?;
    let mut contents = Contents::default();
    let rest = later(rest, &mut contents)?;
    let rest = later(rest, &mut catalogue.parameters)?;
    let mut words = WordIndex::default();
    let rest = later(rest, &mut words)?;
    let rest = later(rest, &mut catalogue.cadences)?;
    catalogue.contents = contents.with_words(words).into();
    match rest {
        [] => Ok(()),
        _ => Err(postcard::Error::DeserializeBadEncoding),
    }
}

/// Decodes a part that earlier releases did not write, and returns the bytes after it.
fn later<'a, T: Deserialize<'a>>(bytes: &'a [u8], part: &mut T) -> postcard::Result<&'a [u8]> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let (read, rest) = postcard::take_from_bytes(bytes)?;
    *part = read;
    Ok(rest)
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
        let product = |old: UnsignedProduct| Product {
            info: old.info,
            stats: old.stats,
            aisle: old.aisle,
            department: old.department,
            rank: old.rank,
            neighbours: old.neighbours,
            transitions: Vec::new(),
            hazard: Default::default(),
            trail: Default::default(),
        };
        let mut catalogue = Self::default();
        catalogue.products = old.products.into_iter().map(product).collect();
        catalogue.popular = old.popular;
        (catalogue.lines, catalogue.orders, catalogue.users) = (old.lines, old.orders, old.users);
        catalogue
    }
}

#[cfg(test)]
mod tests {
    use cartwheel_features::{Parameter, Parameters};

    use super::*;

    fn catalogue() -> Catalogue {
        let info =
            ProductInfo { product_id: "tea".into(), name: "Tea".into(), ..ProductInfo::default() };
        let old = Unsigned {
            products: vec![UnsignedProduct {
                info,
                stats: ProductStats { orders: 3, ..ProductStats::default() },
                aisle: 0,
                department: 0,
                rank: 0,
                neighbours: vec![Neighbour { product: 0, score: 0.5 }],
            }],
            popular: vec![0],
            lines: 3,
            orders: 2,
            users: 1,
        };
        old.into()
    }

    #[test]
    fn a_catalogue_is_read_as_it_was_written() {
        let bytes = encode_catalogue(&catalogue()).unwrap();
        let read = decode_catalogue(&bytes).unwrap();
        assert_eq!(read.products, catalogue().products);
        assert_eq!((read.popular, read.lines, read.orders, read.users), (vec![0], 3, 2, 1));
        let parameters = Parameters::default().with(Parameter::VisitBack, 0.5);
        let mut adapted = catalogue();
        adapted.parameters = parameters;
        let with_parameters = encode_catalogue(&adapted).unwrap();
        assert_eq!(decode_catalogue(&with_parameters).unwrap().parameters, parameters);
        let mut foreign = catalogue();
        foreign.popular = vec![7];
        let error = decode_catalogue(&encode_catalogue(&foreign).unwrap()).unwrap_err();
        assert!(error.contains("does not contain"), "{error}");
    }

    /// A catalogue with so many products that they take several parts.
    fn large() -> Catalogue {
        let mut large = catalogue();
        let of = |at: usize| {
            let mut product = catalogue().products.remove(0);
            product.info.product_id = format!("tea {at}");
            product.neighbours[0].product = at as u32;
            product
        };
        large.products = (0..2 * PRODUCTS_PER_PART + 7).map(of).collect();
        large
    }

    #[test]
    fn many_products_are_read_from_a_file_in_their_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), encode_catalogue(&large()).unwrap()).unwrap();
        let read = read_catalogue(file.path()).unwrap();
        assert_eq!(read.products, large().products);
        assert_eq!(read.find("tea 5000"), Some(5000));
    }

    #[test]
    fn a_damaged_catalogue_is_refused() {
        let bytes = encode_catalogue(&large()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        for end in [0, 7, 8, 11, 12, 20, bytes.len() / 2, bytes.len() - 1] {
            assert!(decode_catalogue(&bytes[..end]).is_err(), "{end} bytes");
            std::fs::write(file.path(), &bytes[..end]).unwrap();
            assert!(read_catalogue(file.path()).is_err(), "{end} bytes");
        }
        // Every byte of the number of parts and of their lengths matters.
        for at in 8..12 + 8 * (FIRST_PARTS + 3) {
            for change in [1, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                assert!(decode_catalogue(&bytes).is_err(), "byte {at}");
            }
        }
    }

    #[test]
    fn a_catalogue_without_lengths_is_read() {
        let expected = catalogue();
        let bytes = postcard::to_extend(&expected.products, WITHOUT_LENGTHS.to_vec()).unwrap();
        let mut bytes = postcard::to_extend(&expected, bytes).unwrap();
        // Releases wrote more and more parts.
        let mut ends = vec![bytes.len()];
        let parts = [
            postcard::to_allocvec(&expected.affinities),
            postcard::to_allocvec(&expected.without),
            postcard::to_allocvec(&*expected.contents),
            postcard::to_allocvec(&expected.parameters),
            postcard::to_allocvec(expected.contents.words()),
            postcard::to_allocvec(&expected.cadences),
        ];
        for part in parts {
            bytes.extend(part.unwrap());
            ends.push(bytes.len());
        }
        for end in ends {
            let read = decode_catalogue(&bytes[..end]).unwrap();
            assert_eq!(read.products, expected.products);
            assert_eq!((read.lines, read.parameters), (3, Parameters::default()));
        }
        bytes.push(0);
        assert!(decode_catalogue(&bytes).is_err());
    }

    #[test]
    fn a_catalogue_of_an_earlier_release_is_read() {
        // One product, "tea" of aisle and department "", in the form without a signature.
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
        let read = decode_catalogue(&bytes.concat()).unwrap();
        assert_eq!(read.products, catalogue().products);
        assert_eq!((read.popular, read.lines, read.orders, read.users), (vec![0], 3, 2, 1));
    }
}
