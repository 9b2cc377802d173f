//! What users buy next after what they bought: a linear next-basket model from item to item.
//!
//! `T[i -> j]` is the mean, over the orders of reference shoppers, of whether the order holds
//! `j`, weighted by the share of `i` in what the shopper had bought before. Applied to the
//! shares of a user's history it is the mean over what others with such a history bought
//! next: UP-CF (Faggioli et al., UMAP 2020) with a linear similarity, which needs no search
//! for neighbours.

use rayon::prelude::*;

use crate::lists::Lists;
use crate::neighbour::Neighbour;
use crate::scratch_row::{SIDE_BY_SIDE, ScratchRow};
use crate::shopper::Shopper;

/// Maximum number of transitions kept per product, the most probable.
pub const MAX_TRANSITIONS: usize = 100;
/// Fewest reference shoppers who bought a product for it to have transitions: of fewer, too
/// large a part may be the very user who asks.
const MIN_SHOPPERS: u32 = 3;
/// Number of shoppers at which a product's transitions count by half.
const HALF_SHOPPERS: f32 = 2.0;

/// The orders of all shoppers, by the products bought before them.
struct Steps {
    /// The orders.
    orders: Lists<u32>,
    /// By product: step and share, in the order of the steps.
    holders: Vec<Vec<(u32, f32)>>,
    /// By product: number of shoppers.
    shoppers: Vec<u32>,
}

impl Steps {
    fn new(products: usize, shoppers: &[&Shopper]) -> Self {
        let mut orders = Lists::default();
        let mut holders = vec![Vec::new(); products];
        let mut counts = vec![0; products];
        // By product: number of the last shopper who bought it, from 1.
        let mut last = vec![0; products];
        for (number, shopper) in (1_u32..).zip(shoppers) {
            let weight = 1.0 / shopper.step_count().max(1) as f32;
            shopper.steps(|before, order| {
                let step = orders.len() as u32;
                orders.push(order);
                for &(product, share) in before {
                    let at = product as usize;
                    holders[at].push((step, share * weight));
                    counts[at] += u32::from(last[at] != number);
                    last[at] = number;
                }
            });
        }
        Self { orders, holders, shoppers: counts }
    }
}

/// Computes each product's transitions, the most probable first. `users_scale` is the number of
/// the shop's users per user counted.
pub(crate) fn transitions(
    products: usize,
    shoppers: &[&Shopper],
    users_scale: f32,
) -> Lists<Neighbour> {
    let steps = Steps::new(products, shoppers);
    let row = |sums: &mut ScratchRow, (holders, &shoppers): (&Vec<(u32, f32)>, &u32)| {
        if shoppers < MIN_SHOPPERS {
            return Vec::new();
        }
        let mut mass = 0.0;
        for &(step, share) in holders {
            mass += share;
            for &next in steps.orders.get(step as usize) {
                sums.add(next, share);
            }
        }
        let shoppers = shoppers as f32 * users_scale;
        let trust = shoppers / (shoppers + HALF_SHOPPERS);
        sums.best(MAX_TRANSITIONS, |_, sum| trust * sum / mass)
    };
    let each = steps.holders.par_iter().zip(&steps.shoppers).with_min_len(SIDE_BY_SIDE);
    let lists: Vec<Vec<Neighbour>> = each.map_init(|| ScratchRow::new(products), row).collect();
    lists.into_iter().collect()
}
