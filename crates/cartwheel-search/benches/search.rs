//! Time of a search over 100,000 products, and of making the index.
//!
//! `cargo bench -p cartwheel-search`

#![expect(clippy::expect_used, reason = "a benchmark that cannot run must stop")]

use std::time::Duration;

use cartwheel_search::{Document, FacetFilters, Index, Question, Synonyms};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const PRODUCTS: usize = 100_000;
const WORDS: usize = 30_000;
const QUERIES: usize = 2_000;
const CHANGED: usize = 500;

/// What is typed for a text.
type Typed = fn(&mut ChaCha8Rng, &str) -> String;

/// A product's texts.
struct Texts {
    name: String,
    brand: String,
    department: String,
    aisle: String,
}

fn main() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let vocabulary: Vec<String> = (0..WORDS).map(|_| word(&mut rng)).collect();
    let texts: Vec<Texts> = (0..PRODUCTS).map(|_| texts(&mut rng, &vocabulary)).collect();
    let (built, mut index) = timed(|| Index::new(documents(&texts)));
    println!("index of {PRODUCTS} products: {:.0} ms", built.as_secs_f64() * 1e3);
    let (changed, with) = timed(|| index.with(documents(&texts[..CHANGED])));
    println!("segment of {CHANGED} changed products: {:.1} ms", changed.as_secs_f64() * 1e3);
    index = with;

    println!("{:<22} {:>8} {:>8} {:>8}", "query", "p50 ms", "p99 ms", "matches");
    let filters = FacetFilters::default();
    let synonyms = Synonyms::default();
    let kinds: [(&str, Typed); 6] = [
        ("whole words", |_, text| text.to_owned()),
        ("first letters", |_, text| text.chars().take(1).collect()),
        ("while typing", |rng, text| text.chars().take(rng.random_range(1..12)).collect()),
        ("with a typo", |rng, text| misspelled(rng, text)),
        ("words of others", |_, text| text.to_owned()),
        ("nothing like it", |rng, _| format!("{}q{}", word(rng), word(rng))),
    ];
    let mut all = Vec::new();
    for (kind, query) in kinds {
        let mut times = Vec::new();
        let mut matches = 0;
        for _ in 0..QUERIES {
            let text = if kind == "words of others" {
                let two = [zipf(&mut rng, &vocabulary), zipf(&mut rng, &vocabulary)];
                query(&mut rng, &two.join(" "))
            } else {
                let name = &texts.choose(&mut rng).expect("there are products").name;
                let words = name.split(' ').take(2).collect::<Vec<_>>().join(" ");
                query(&mut rng, &words)
            };
            let is_typing = kind == "while typing";
            let question =
                Question { text: &text, is_typing, filters: &filters, synonyms: &synonyms };
            let (time, found) = timed(|| index.search(&question, |_| true, |_| ()));
            matches += found.total;
            times.push(time);
        }
        report(kind, &mut times, matches / QUERIES);
        all.extend(times);
    }
    report("all", &mut all, 0);
}

/// The time that is reported is that of the machine.
#[allow(clippy::disallowed_methods)]
fn timed<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let start = std::time::Instant::now();
    let result = work();
    (start.elapsed(), result)
}

fn report(kind: &str, times: &mut [Duration], matches: usize) {
    times.sort_unstable();
    let at = |share: f64| times[(times.len() as f64 * share) as usize].as_secs_f64() * 1e3;
    println!("{kind:<22} {:>8.3} {:>8.3} {matches:>8}", at(0.5), at(0.99));
}

fn word(rng: &mut ChaCha8Rng) -> String {
    let syllable = |rng: &mut ChaCha8Rng| {
        let consonant = char::from(*b"bcdfghklmnprstvw".choose(rng).expect("not empty"));
        let vowel = char::from(*b"aeiou".choose(rng).expect("not empty"));
        [consonant, vowel]
    };
    let mut word: String = (0..rng.random_range(2..5)).flat_map(|_| syllable(rng)).collect();
    if rng.random_bool(0.5) {
        word.push(char::from(*b"nrstl".choose(rng).expect("not empty")));
    }
    word
}

/// A word; the first ones are the most frequent.
fn zipf<'a>(rng: &mut ChaCha8Rng, vocabulary: &'a [String]) -> &'a str {
    let at = (vocabulary.len() as f64).powf(rng.random_range(0.0..1.0));
    &vocabulary[(at as usize).min(vocabulary.len() - 1)]
}

fn texts(rng: &mut ChaCha8Rng, vocabulary: &[String]) -> Texts {
    let count = rng.random_range(2..7);
    let name: Vec<&str> = (0..count).map(|_| zipf(rng, vocabulary)).collect();
    let department = rng.random_range(0..20);
    Texts {
        name: name.join(" "),
        brand: format!("brand {}", zipf(rng, vocabulary)),
        department: vocabulary[department].clone(),
        aisle: vocabulary[department * 10 + rng.random_range(0..10)].clone(),
    }
}

fn documents(texts: &[Texts]) -> impl Iterator<Item = Document<'_>> {
    texts.iter().zip(0..).map(|(texts, key)| Document {
        key,
        name: &texts.name,
        brand: Some(&texts.brand),
        department: &texts.department,
        aisle: &texts.aisle,
        price: format!("{}.99", key % 100).parse().ok(),
        popularity: 1.0 / (key + 1) as f32,
        ..Document::default()
    })
}

fn misspelled(rng: &mut ChaCha8Rng, text: &str) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let at = rng.random_range(1..letters.len() - 1);
    match rng.random_range(0..3) {
        0 => letters.swap(at, at + 1),
        1 => drop(letters.remove(at)),
        _ => letters.insert(at, 'x'),
    }
    letters.into_iter().collect()
}
