//! Products that are bought together, from sampled baskets.

use rayon::prelude::*;

use crate::basket::Basket;
use crate::lists::Lists;
use crate::neighbour::{Neighbour, by_value};
use crate::scratch_row::{SIDE_BY_SIDE, ScratchRow};

/// Maximum number of neighbours per product.
pub const MAX_NEIGHBOURS: usize = 50;
/// Maximum number of baskets examined per product: enough for stable scores, and a bound
/// on the work.
const MAX_BASKETS: usize = 2_000;

/// Computes each product's neighbours: the score is the significance-weighted cosine similarity
/// of the two products' baskets. `users_scale` is the number of the shop's users per user
/// counted. Co-purchases are counted over an inverted index, one product at a time, in a dense scratch
/// row; once for all values of [`Parameter::SignificantPairs`](crate::Parameter), for each of which
/// there is a list by product.
pub(crate) fn neighbours(
    products: usize,
    baskets: &[&Basket],
    users_scale: f32,
    significant: &[f64],
) -> Vec<Lists<Neighbour>> {
    let mut lines = Lists::default();
    baskets.iter().for_each(|basket| lines.push(basket));
    let inverted = lines.inverted(products);
    let count_of = |product: usize| inverted.get(product).len() as f32;
    let of = |together: &mut ScratchRow, product: usize| {
        let holders = inverted.get(product);
        let seen = &holders[..holders.len().min(MAX_BASKETS)];
        for &basket in seen {
            let others = lines.get(basket as usize).iter().filter(|&&p| p as usize != product);
            others.for_each(|&other| together.add(other, 1.0));
        }
        // If baskets were skipped, each count stands for proportionally more of them.
        let scale = holders.len() as f32 / seen.len().max(1) as f32;
        let counted = together.drain().map(|(other, count)| {
            let count = count * scale;
            let both = (count_of(product) * count_of(other as usize)).sqrt();
            (other, count * users_scale, (count / both).min(1.0))
        });
        let counted: Vec<(u32, f32, f32)> = counted.collect();
        let of_value = |&significant: &f64| {
            let score = |pairs: f32| (pairs / significant as f32).min(1.0);
            let scored = counted.iter().map(|&(product, pairs, cosine)| Neighbour {
                product,
                score: cosine * score(pairs),
            });
            Neighbour::best(scored.collect(), MAX_NEIGHBOURS)
        };
        significant.iter().map(of_value).collect()
    };
    let each = (0..products).into_par_iter().with_min_len(SIDE_BY_SIDE);
    by_value(significant.len(), each.map_init(|| ScratchRow::new(products), of).collect())
}
