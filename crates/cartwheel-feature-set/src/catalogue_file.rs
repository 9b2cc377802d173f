//! Catalogues as bytes, in parts that are read side by side:
//!
//! ```text
//! signature    8 bytes
//! parts        their number u32, and the length of each u64 (little-endian)
//! part 0       what is not in the others, in postcard
//! part 1 …     lists of neighbours by product, in the order of `lists`: the number of lists u64, where
//!              each ends u64, and of each neighbour product u32 and score f32
//! part 9 …     the products, some thousands in each, in postcard
//! ```
//!
//! A large catalogue is mostly neighbours, so that reading them is little more than copying them.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use cartwheel_features::{
    Affinities, Attention, Cadences, Catalogue, Contents, Lists, Neighbour, Parameters, Product,
    Related, Sources, Trail, Visits, WordIndex,
};
use rayon::prelude::*;
use serde::de::DeserializeOwned;

use crate::old_catalogue;

/// No catalogue without a signature begins with these bytes: as a number of products, they are
/// written with fewer.
const SIGNATURE: &[u8; 8] = b"\x80\x80\x80\x00CWC4";
/// Products of one part, of some 200 bytes each.
const PRODUCTS_PER_PART: usize = 4_096;
/// Lists of neighbours.
const LISTS: usize = 8;
/// Parts before those of the products.
const FIRST_PARTS: usize = 1 + LISTS;
/// Bytes of neighbours that are read at a time.
const NEIGHBOURS: u64 = 8 << 16;

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
    let Catalogue { visits, contents, .. } = catalogue;
    let rest = (
        &catalogue.popular,
        (catalogue.lines, catalogue.orders, catalogue.users, catalogue.others),
        &catalogue.trail,
        (&visits.attention, &visits.all, &visits.sampled),
        &catalogue.without,
        &catalogue.parameters,
        (&contents.prices, &contents.words),
        &catalogue.cadences,
    );
    bytes = postcard::to_extend(&rest, bytes)?;
    end_part(&mut bytes);
    for lists in lists(catalogue) {
        encode_lists(lists, &mut bytes);
        end_part(&mut bytes);
    }
    for products in products {
        bytes = postcard::to_extend(products, bytes)?;
        end_part(&mut bytes);
    }
    Ok(bytes)
}

/// The lists of neighbours of a catalogue.
fn lists(catalogue: &Catalogue) -> [&Lists<Neighbour>; LISTS] {
    let Catalogue { affinities, visits, contents, .. } = catalogue;
    let Related { follows, together, leads_to } = &visits.related;
    [
        &catalogue.neighbours,
        &catalogue.transitions,
        &affinities.companions,
        &affinities.attractions,
        &contents.alike,
        follows,
        together,
        leads_to,
    ]
}

fn encode_lists(lists: &Lists<Neighbour>, out: &mut Vec<u8>) {
    out.reserve(8 * (1 + lists.len() + lists.items().len()));
    out.extend((lists.len() as u64).to_le_bytes());
    for &end in lists.ends() {
        out.extend((end as u64).to_le_bytes());
    }
    for Neighbour { product, score } in lists.items() {
        out.extend((u64::from(score.to_bits()) << 32 | u64::from(*product)).to_le_bytes());
    }
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
        old_catalogue::decode(bytes).map_err(io::Error::other)
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
    let rest = || without_lists(stored.part(first[0].clone(), &mut Vec::new())?);
    let lists = || -> io::Result<Vec<Lists<Neighbour>>> {
        let read =
            |buffer: &mut Vec<u8>, range: &Range<u64>| decode_lists(stored, range.clone(), buffer);
        first[1..].par_iter().with_max_len(1).map_init(Vec::new, read).collect()
    };
    let products = || -> io::Result<Vec<Vec<Product>>> {
        let read =
            |buffer: &mut Vec<u8>, range: &Range<u64>| whole(stored.part(range.clone(), buffer)?);
        of_products.par_iter().map_init(Vec::new, read).collect()
    };
    let (lists, (rest, products)) = rayon::join(lists, || rayon::join(rest, products));
    let (mut catalogue, mut contents): (Catalogue, Contents) = rest?;
    let products = products?;
    catalogue.products.reserve_exact(products.iter().map(Vec::len).sum());
    products.into_iter().for_each(|products| catalogue.products.extend(products));
    let lists = <[_; LISTS]>::try_from(lists?).map_err(|_| damaged())?;
    let [neighbours, transitions, companions, attractions, alike, follows, together, leads_to] =
        lists;
    (catalogue.neighbours, catalogue.transitions) = (neighbours, transitions);
    catalogue.affinities = Affinities { companions, attractions };
    catalogue.visits.related = Related { follows, together, leads_to };
    contents.alike = alike;
    catalogue.contents = Arc::new(contents);
    Ok(catalogue)
}

/// Decodes the first part: the catalogue and what its contents are, without lists and products.
fn without_lists(bytes: &[u8]) -> io::Result<(Catalogue, Contents)> {
    type Counts = (u64, u64, u64, Option<f32>);
    type Visited = (Vec<Attention>, Trail, Vec<Box<[u32]>>);
    type Texts = (Vec<f32>, WordIndex);
    type Rest = (Vec<u32>, Counts, Trail, Visited, Sources, Parameters, Texts, Cadences);
    let (popular, counts, trail, visited, without, parameters, texts, cadences): Rest =
        whole(bytes)?;
    let (lines, orders, users, others) = counts;
    let (attention, all, sampled) = visited;
    let visits = Visits::new(Related::default(), attention, all, sampled);
    let (prices, words) = texts;
    let contents = Contents { prices, words, ..Contents::default() };
    let mut catalogue = Catalogue::default();
    (catalogue.popular, catalogue.trail, catalogue.others) = (popular, trail, others);
    (catalogue.lines, catalogue.orders, catalogue.users) = (lines, orders, users);
    (catalogue.without, catalogue.parameters) = (without, parameters);
    (catalogue.visits, catalogue.cadences) = (visits, cadences);
    Ok((catalogue, contents))
}

/// Decodes lists of neighbours.
fn decode_lists(
    stored: &Stored<'_>,
    range: Range<u64>,
    buffer: &mut Vec<u8>,
) -> io::Result<Lists<Neighbour>> {
    let until = |start: u64, length: Option<u64>| {
        let end = length.and_then(|length| start.checked_add(length));
        end.filter(|&end| end <= range.end).ok_or_else(damaged)
    };
    let start = until(range.start, Some(8))?;
    let (count, _) = stored.part(range.start..start, buffer)?.as_chunks::<8>();
    let count = count.first().map_or(0, |count| u64::from_le_bytes(*count));
    let mut at = until(start, count.checked_mul(8))?;
    let (ends, _) = stored.part(start..at, buffer)?.as_chunks::<8>();
    let ends: Vec<usize> = ends.iter().map(|end| u64::from_le_bytes(*end) as usize).collect();
    let mut items = Vec::with_capacity(((range.end - at) / 8) as usize);
    while at < range.end {
        let end = range.end.min(at + NEIGHBOURS);
        let (neighbours, rest) = stored.part(at..end, buffer)?.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(damaged());
        }
        items.extend(neighbours.iter().map(|bytes| {
            let both = u64::from_le_bytes(*bytes);
            Neighbour { product: both as u32, score: f32::from_bits((both >> 32) as u32) }
        }));
        at = end;
    }
    Lists::from_parts(items, ends).ok_or_else(damaged)
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

#[cfg(test)]
mod tests {
    use cartwheel_features::{Hazard, Parameter, ProductInfo, ProductStats};

    use super::*;

    fn catalogue() -> Catalogue {
        let info =
            ProductInfo { product_id: "tea".into(), name: "Tea".into(), ..ProductInfo::default() };
        let tea = Product {
            info,
            stats: ProductStats { orders: 3, ..ProductStats::default() },
            aisle: 0,
            department: 0,
            rank: 0,
            hazard: Hazard::default(),
            trail: Trail::default(),
        };
        let mut catalogue = Catalogue::default();
        catalogue.products = vec![tea];
        catalogue.neighbours.push(&[Neighbour { product: 0, score: 0.5 }]);
        catalogue.popular = vec![0];
        (catalogue.lines, catalogue.orders, catalogue.users) = (3, 2, 1);
        catalogue
    }

    /// A list a product, which names it and the first one.
    fn every_list(products: u32) -> [Lists<Neighbour>; LISTS] {
        let named = |product, at: usize| Neighbour { product, score: at as f32 / 8.0 };
        let of = |at: usize| {
            let lists = (0..products).map(|product| vec![named(product, at), named(0, at)]);
            lists.collect()
        };
        std::array::from_fn(of)
    }

    #[test]
    fn a_catalogue_is_read_as_it_was_written() {
        let bytes = encode_catalogue(&catalogue()).unwrap();
        let read = decode_catalogue(&bytes).unwrap();
        assert_eq!(read.products, catalogue().products);
        assert_eq!(lists(&read), lists(&catalogue()));
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
            product
        };
        large.products = (0..2 * PRODUCTS_PER_PART + 7).map(of).collect();
        let count = large.products.len();
        large.visits.attention = vec![Attention::default(); count];
        let lists = every_list(count as u32);
        let [neighbours, transitions, companions, attractions, alike, follows, together, leads_to] =
            lists;
        (large.neighbours, large.transitions) = (neighbours, transitions);
        large.affinities = Affinities { companions, attractions };
        large.visits.related = Related { follows, together, leads_to };
        large.contents = Contents { alike, ..Contents::default() }.into();
        large
    }

    #[test]
    fn many_products_are_read_from_a_file_in_their_order() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), encode_catalogue(&large()).unwrap()).unwrap();
        let read = read_catalogue(file.path()).unwrap();
        assert_eq!(read.products, large().products);
        assert_eq!(read.find("tea 5000"), Some(5000));
        assert!(lists(&read) == lists(&large()));
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
        // Neighbours that do not exist, and lists that end elsewhere.
        for lists in 1..FIRST_PARTS {
            let ranges = ranges(&Stored::Bytes(&bytes), bytes.len() as u64).unwrap();
            let (start, end) = (ranges[lists].start as usize, ranges[lists].end as usize);
            for at in [start, start + 8, end - 5] {
                let mut bytes = bytes.clone();
                bytes[at] ^= 0x80;
                assert!(decode_catalogue(&bytes).is_err(), "lists {lists}: byte {at}");
            }
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
}
