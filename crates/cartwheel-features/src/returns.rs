//! Nets returns against the purchases that they undo.

use std::hash::Hash;

use rustc_hash::FxHashMap;

/// Pieces of a product that a user bought or gave back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces<P> {
    /// The product.
    pub product: P,
    /// Number of pieces.
    pub count: u32,
}

/// A user's purchase or return at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement<P> {
    /// Whether the products were given back.
    pub is_return: bool,
    /// The products.
    pub items: Vec<Pieces<P>>,
}

/// Subtracts each return from the user's latest earlier purchases of the same product, at most
/// their quantity. `movements` are those of one user, by time. Afterwards purchases hold the
/// pieces that the user kept, and returns those that no purchase covers; either may be 0.
pub fn net_returns<P: Copy + Eq + Hash>(movements: &mut [Movement<P>]) {
    // Where each product was bought with pieces left, the latest purchase last.
    let mut bought: FxHashMap<P, Vec<(usize, usize)>> = FxHashMap::default();
    for at in 0..movements.len() {
        let (earlier, rest) = movements.split_at_mut(at);
        let Some(movement) = rest.first_mut() else { break };
        for (index, item) in movement.items.iter_mut().enumerate() {
            let places = bought.entry(item.product).or_default();
            if !movement.is_return {
                places.push((at, index));
                continue;
            }
            while item.count > 0
                && let Some(&(purchase, index)) = places.last()
            {
                let left = &mut earlier[purchase].items[index].count;
                let undone = item.count.min(*left);
                *left -= undone;
                item.count -= undone;
                if *left == 0 {
                    places.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn movement(is_return: bool, items: &[(char, u32)]) -> Movement<char> {
        let items = items.iter().map(|&(product, count)| Pieces { product, count }).collect();
        Movement { is_return, items }
    }

    fn counts(movements: &[Movement<char>]) -> Vec<Vec<u32>> {
        movements.iter().map(|m| m.items.iter().map(|item| item.count).collect()).collect()
    }

    #[test]
    fn a_return_undoes_the_latest_purchases_at_most() {
        let mut all = [
            movement(true, &[('a', 9)]),
            movement(false, &[('a', 3), ('b', 1)]),
            movement(false, &[('a', 2)]),
            movement(true, &[('a', 4), ('c', 1)]),
            movement(true, &[('a', 5)]),
        ];
        net_returns(&mut all);
        let expected = [vec![9], vec![0, 1], vec![0], vec![0, 1], vec![4]];
        assert_eq!(counts(&all), expected);
    }

    proptest! {
        #[test]
        fn pieces_are_only_taken_off_in_pairs(
            all in prop::collection::vec((any::<bool>(), 0..4_u8, 1..9_u32), 0..40),
        ) {
            let before: Vec<Movement<u8>> = all.iter().map(|&(is_return, product, count)| {
                Movement { is_return, items: vec![Pieces { product, count }] }
            }).collect();
            let mut after = before.clone();
            net_returns(&mut after);
            let total = |all: &[Movement<u8>], is_return: bool| -> u32 {
                let of_kind = all.iter().filter(|m| m.is_return == is_return);
                of_kind.flat_map(|m| &m.items).map(|item| item.count).sum()
            };
            let undone = total(&before, true) - total(&after, true);
            prop_assert_eq!(undone, total(&before, false) - total(&after, false));
            for product in 0..4 {
                let mut kept = 0;
                for movement in &after {
                    let item = &movement.items[0];
                    if item.product == product {
                        // A return stays only if no earlier purchase has pieces left.
                        prop_assert!(!movement.is_return || item.count == 0 || kept == 0);
                        kept += if movement.is_return { 0 } else { item.count };
                    }
                }
            }
        }
    }
}
