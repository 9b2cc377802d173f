//! The shop's products, with their popularity and companions.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::words::{KINDS, SHOP, SIZES, TOGETHER};

/// One in this many products is introduced during the shop's history.
const NEWCOMERS: u32 = 12;

pub(crate) struct Product {
    pub name: String,
    /// What it is, without kind and size, such as `rye bread`.
    pub thing: &'static str,
    /// Index of its size in `SIZES`.
    pub size: usize,
    pub aisle: usize,
    /// The fraction of a history after which it is available; 0 for most products.
    pub since: f32,
    /// Whether it is bought mostly at weekends.
    pub weekend: bool,
    /// Products that are bought together with it.
    pub companions: Vec<u32>,
}

pub(crate) struct Aisle {
    pub name: &'static str,
    department: usize,
}

pub(crate) struct Catalogue {
    pub products: Vec<Product>,
    /// Running sum of popularity, by product.
    popularity: Vec<f64>,
    pub aisles: Vec<Aisle>,
    departments: Vec<&'static str>,
}

/// Draws a standard normal number (Box–Muller).
pub(crate) fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (a, b): (f64, f64) = (rng.random::<f64>().max(1e-12), rng.random());
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

impl Catalogue {
    pub(crate) fn new(count: u32, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x0ca7_a106);
        let (mut aisles, mut departments, mut things) = (Vec::new(), Vec::new(), Vec::new());
        for line in SHOP.lines() {
            let Some((department, rest)) = line.split_once(':') else { continue };
            for aisle in rest.split(';') {
                let Some((name, list)) = aisle.split_once('=') else { continue };
                aisles.push(Aisle { name: name.trim(), department: departments.len() });
                things.push(list.split(',').map(str::trim).collect::<Vec<_>>());
            }
            departments.push(department);
        }
        let mut places = vec![0; aisles.len()];
        let mut products = Vec::with_capacity(count as usize);
        for at in 0..count {
            let aisle = at as usize % aisles.len();
            let things = &things[aisle];
            let place = places[aisle];
            places[aisle] += 1;
            let new = rng.random_ratio(1, NEWCOMERS);
            let since = if new { rng.random_range(0.3..0.9) } else { 0.0 };
            let weekend = rng.random_ratio(1, 8);
            products.push(Product {
                name: name(things, place),
                thing: things[place % things.len()],
                size: place / things.len() / KINDS.len() % SIZES.len(),
                aisle,
                since,
                weekend,
                companions: Vec::new(),
            });
        }
        let mut ranks: Vec<u32> = (0..count).collect();
        ranks.shuffle(&mut rng);
        let weight_of_aisle: Vec<f64> =
            aisles.iter().map(|_| (normal(&mut rng) * 0.9).exp()).collect();
        let mut sum = 0.0;
        let weights = products.iter().zip(&ranks);
        let popularity: Vec<f64> = weights
            .map(|(product, &rank)| {
                sum += weight_of_aisle[product.aisle] / (f64::from(rank) + 12.0).powf(1.05);
                sum
            })
            .collect();
        let mut catalogue = Self { products, popularity, aisles, departments };
        catalogue.make_companions(&mut rng);
        catalogue
    }

    /// Assigns companions from the aisles that go with a product's own aisle.
    fn make_companions(&mut self, rng: &mut ChaCha8Rng) {
        let find = |name: &str| self.aisles.iter().position(|a| a.name == name);
        let pairs: Vec<(usize, usize)> = TOGETHER
            .iter()
            .filter_map(|(a, b)| Some((find(a)?, find(b)?)))
            .flat_map(|(a, b)| [(a, b), (b, a)])
            .collect();
        for at in 0..self.products.len() {
            let aisle = self.products[at].aisle;
            let mut partners: Vec<usize> =
                pairs.iter().filter(|p| p.0 == aisle).map(|p| p.1).collect();
            partners.push(aisle);
            let companions = (0..2)
                .filter_map(|_| {
                    let aisle = partners[rng.random_range(0..partners.len())];
                    (0..400)
                        .map(|_| self.draw(rng))
                        .find(|&p| p as usize != at && self.products[p as usize].aisle == aisle)
                })
                .collect();
            self.products[at].companions = companions;
        }
    }

    /// Draws a product by popularity.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let sum = self.popularity.last().copied().unwrap_or(0.0);
        let at = rng.random::<f64>() * sum;
        self.popularity.partition_point(|&p| p <= at).min(self.products.len() - 1) as u32
    }

    /// The department of a product.
    pub(crate) fn department(&self, product: &Product) -> &'static str {
        self.departments[self.aisles[product.aisle].department]
    }

    /// Draws another product of the same aisle, or this one if there are few; popular products
    /// are likelier.
    pub(crate) fn draw_beside(&self, product: u32, rng: &mut ChaCha8Rng) -> u32 {
        let aisles = self.aisles.len();
        let aisle = self.products[product as usize].aisle;
        let count = (self.products.len() - aisle).div_ceil(aisles);
        let weight = |at: usize| {
            self.popularity[at] - at.checked_sub(1).map_or(0.0, |before| self.popularity[before])
        };
        let drawn = (0..3).map(|_| aisle + aisles * rng.random_range(0..count));
        let best = drawn.max_by(|&a, &b| weight(a).total_cmp(&weight(b)));
        best.map_or(product, |at| at as u32)
    }

    /// Returns the contents of products.csv, aisles.csv and departments.csv.
    pub(crate) fn csv(&self) -> [String; 3] {
        let mut products = "product_id,product_name,aisle_id,department_id\n".to_owned();
        for (at, p) in self.products.iter().enumerate() {
            let department = self.aisles[p.aisle].department + 1;
            products.push_str(&format!("{},{},{},{department}\n", at + 1, p.name, p.aisle + 1));
        }
        let list = |header: &str, names: &mut dyn Iterator<Item = &'static str>| {
            let rows = names.enumerate().map(|(at, name)| format!("{},{name}\n", at + 1));
            format!("{header}\n{}", rows.collect::<String>())
        };
        let aisles = list("aisle_id,aisle", &mut self.aisles.iter().map(|a| a.name));
        let departments = list("department_id,department", &mut self.departments.iter().copied());
        [products, aisles, departments]
    }
}

/// Returns the name of product number `at` of an aisle; all names are distinct.
fn name(things: &[&str], at: usize) -> String {
    let (thing, rest) = (things[at % things.len()], at / things.len());
    let (kind, rest) = (KINDS[rest % KINDS.len()], rest / KINDS.len());
    let thing: String = thing
        .split(' ')
        .map(|word| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_uppercase().to_string());
            format!(" {}{}", first.unwrap_or_default(), letters.as_str())
        })
        .collect();
    match (SIZES[rest % SIZES.len()], rest / SIZES.len()) {
        ("", 0) => format!("{kind}{thing}"),
        ("", n) => format!("{kind}{thing} No. {n}"),
        (size, 0) => format!("{kind}{thing} {size}"),
        (size, n) => format!("{kind}{thing} {size} No. {n}"),
    }
}
