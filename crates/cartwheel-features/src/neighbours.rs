//! Products that are bought together, from sampled baskets.

use crate::basket::Basket;
use crate::neighbour::Neighbour;
use crate::parameters::{Parameter, Parameters};
use crate::scratch_row::ScratchRow;

/// Maximum number of neighbours per product.
pub const MAX_NEIGHBOURS: usize = 50;
/// Maximum number of baskets examined per product: enough for stable scores, and a bound
/// on the work.
const MAX_BASKETS: usize = 2_000;

/// Computes each product's neighbours: the score is the significance-weighted cosine similarity
/// of the two products' baskets. `users_scale` is the number of the shop's users per user
/// counted. Co-purchases are counted over an inverted index,
/// one product at a time, in a dense scratch row.
pub(crate) fn neighbours(
    products: usize,
    baskets: &[Basket],
    users_scale: f32,
    parameters: &Parameters,
) -> Vec<Vec<Neighbour>> {
    let mut counts = vec![0_u32; products];
    baskets.iter().flatten().for_each(|&p| counts[p as usize] += 1);
    let mut starts = vec![0_usize; products + 1];
    for product in 0..products {
        starts[product + 1] = starts[product] + counts[product] as usize;
    }
    let mut fill = starts.clone();
    let mut inverted = vec![0_u32; starts[products]];
    for (at, basket) in baskets.iter().enumerate() {
        for &product in basket {
            inverted[fill[product as usize]] = at as u32;
            fill[product as usize] += 1;
        }
    }
    let significant = parameters[Parameter::SignificantPairs] as f32;
    let mut together = ScratchRow::new(products);
    let mut all = Vec::with_capacity(products);
    for product in 0..products {
        let holders = &inverted[starts[product]..starts[product + 1]];
        let seen = &holders[..holders.len().min(MAX_BASKETS)];
        for &basket in seen {
            let others = baskets[basket as usize].iter().filter(|&&p| p as usize != product);
            others.for_each(|&other| together.add(other, 1.0));
        }
        // If baskets were skipped, each count stands for proportionally more of them.
        let scale = holders.len() as f32 / seen.len().max(1) as f32;
        all.push(together.best(MAX_NEIGHBOURS, |other, count| {
            let count = count * scale;
            let both = (counts[product] as f32 * counts[other as usize] as f32).sqrt();
            (count / both).min(1.0) * (count * users_scale / significant).min(1.0)
        }));
    }
    all
}
