//! Catalogues as bytes: a signature, then in postcard the catalogue, its affinities, the sources that
//! are switched off, its contents, the parameters of its sources, the words of its contents, and how
//! soon products are bought again.
//! Catalogues of releases that lacked the last of these end before them.
//!
//! Catalogues of releases before the signature have no transitions, no hazards and no orders
//! over time. They are read as far as they go, so that a shop answers after an update of the
//! software until the pipeline has run.

use cartwheel_features::{
    Catalogue, Contents, Neighbour, Product, ProductInfo, ProductStats, WordIndex,
};
use serde::Deserialize;

/// No catalogue without a signature begins with these bytes: as a number of products, they are
/// written with fewer.
const SIGNATURE: &[u8; 8] = b"\x80\x80\x80\x00CWC2";

/// Encodes a catalogue.
///
/// # Errors
/// When memory is exhausted.
pub fn encode_catalogue(catalogue: &Catalogue) -> postcard::Result<Vec<u8>> {
    let bytes = postcard::to_extend(catalogue, SIGNATURE.to_vec())?;
    let bytes = postcard::to_extend(&catalogue.affinities, bytes)?;
    let bytes = postcard::to_extend(&catalogue.without, bytes)?;
    let bytes = postcard::to_extend(&*catalogue.contents, bytes)?;
    let bytes = postcard::to_extend(&catalogue.parameters, bytes)?;
    let bytes = postcard::to_extend(catalogue.contents.words(), bytes)?;
    postcard::to_extend(&catalogue.cadences, bytes)
}

/// Decodes a catalogue and checks that it refers to products of its own alone.
///
/// # Errors
/// When the bytes are not a catalogue; the text says why.
pub fn decode_catalogue(bytes: &[u8]) -> Result<Catalogue, String> {
    let catalogue = match bytes.strip_prefix(SIGNATURE) {
        Some(bytes) => signed(bytes),
        None => postcard::from_bytes::<Unsigned>(bytes).map(Catalogue::from),
    };
    let catalogue = catalogue.map_err(|error| error.to_string())?;
    if catalogue.is_sound() {
        return Ok(catalogue.indexed());
    }
    Err("the catalogue refers to products that it does not contain".to_owned())
}

/// Decodes the part after the signature.
fn signed(bytes: &[u8]) -> postcard::Result<Catalogue> {
    let (mut catalogue, rest) = postcard::take_from_bytes::<Catalogue>(bytes)?;
    let rest = later(rest, &mut catalogue.affinities)?;
    let rest = later(rest, &mut catalogue.without)?;
    let mut contents = Contents::default();
    let rest = later(rest, &mut contents)?;
    let rest = later(rest, &mut catalogue.parameters)?;
    let mut words = WordIndex::default();
    let rest = later(rest, &mut words)?;
    let rest = later(rest, &mut catalogue.cadences)?;
    catalogue.contents = contents.with_words(words).into();
    match rest {
        [] => Ok(catalogue),
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
        assert_eq!(read.find("tea"), Some(0));
        assert!(decode_catalogue(&bytes[..bytes.len() - 1]).is_err());
        let parameters = Parameters::default().with(Parameter::VisitBack, 0.5);
        let mut adapted = catalogue();
        adapted.parameters = parameters;
        let with_parameters = encode_catalogue(&adapted).unwrap();
        assert_eq!(decode_catalogue(&with_parameters).unwrap().parameters, parameters);
        // A catalogue of an earlier release ends before its cadences, before its words, which are three
        // empty lists and a number here, before its parameters, or before its contents, which are two
        // empty lists.
        let cadences = bytes.len() - postcard::to_allocvec(&catalogue().cadences).unwrap().len();
        let words = cadences - 4;
        let parameters = words - postcard::to_allocvec(&parameters).unwrap().len();
        for end in [cadences, words, parameters, parameters - 2] {
            let read = decode_catalogue(&bytes[..end]).unwrap();
            assert_eq!(read.parameters, Parameters::default());
        }
        let mut foreign = catalogue();
        foreign.popular = vec![7];
        let error = decode_catalogue(&encode_catalogue(&foreign).unwrap()).unwrap_err();
        assert!(error.contains("does not contain"), "{error}");
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
