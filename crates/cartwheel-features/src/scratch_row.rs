//! Sums by product in a dense row that is used again and again.

use crate::neighbour::Neighbour;

/// Fewest products that a thread takes at a time, each with a row of its own.
pub(crate) const SIDE_BY_SIDE: usize = 64;

/// Sums of positive weights by product. Draining it costs as much as it was added to, however many
/// products there are.
pub(crate) struct ScratchRow {
    sums: Vec<f32>,
    /// The products with a sum, in the order in which they were added.
    touched: Vec<u32>,
}

impl ScratchRow {
    /// A row without sums for indices of `products` products.
    pub(crate) fn new(products: usize) -> Self {
        Self { sums: vec![0.0; products], touched: Vec::new() }
    }

    /// Adds a positive weight.
    pub(crate) fn add(&mut self, product: u32, weight: f32) {
        let sum = &mut self.sums[product as usize];
        if *sum == 0.0 {
            self.touched.push(product);
        }
        *sum += weight;
    }

    /// Takes all sums out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = (u32, f32)> + '_ {
        let Self { sums, touched } = self;
        touched.drain(..).map(|product| (product, std::mem::take(&mut sums[product as usize])))
    }

    /// Takes all sums out and keeps the `most` products with the largest scores.
    pub(crate) fn best(&mut self, most: usize, score: impl Fn(u32, f32) -> f32) -> Vec<Neighbour> {
        let scored = self.drain();
        let scored = scored.map(|(product, sum)| Neighbour { product, score: score(product, sum) });
        Neighbour::best(scored.collect(), most)
    }
}
