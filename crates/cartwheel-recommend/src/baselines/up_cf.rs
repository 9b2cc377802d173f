//! UP-CF@r (Faggioli et al., UMAP 2020): what similar users bought in their last orders.
//!
//! The similarity of two users is the asymmetric cosine of the sets of products that they
//! bought, `|A ∩ B| / (|A|^alpha |B|^(1 - alpha))`, to the power of `q`. The score of a product
//! is the sum over the most similar users, the one who asks among them, of the similarity times
//! the share of the last `r` orders that hold the product.

use cartwheel_features::OrderHistory;
use rustc_hash::FxHashMap;

use super::question::{Baseline, Question, top};
use super::tuning::{Labelled, recall};

/// Power of the similarity.
const LOCALITY: i32 = 5;
/// Numbers of last orders that are tried.
const RECENCIES: [usize; 3] = [5, 10, 25];
/// Weights of the asking user's number of products that are tried.
const ALPHAS: [f32; 2] = [0.5, 0.75];
/// Numbers of similar users that are tried.
const NEIGHBOURS: [usize; 2] = [100, 1000];

/// The parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Parameters {
    recency: usize,
    alpha: f32,
    neighbours: usize,
}

/// Reference users with an index by product.
struct Users<'a> {
    orders: Vec<Vec<&'a [u32]>>,
    /// Number of products of each user.
    sizes: Vec<f32>,
    /// Users by product.
    buyers: FxHashMap<u32, Vec<u32>>,
}

fn distinct(orders: &[&[u32]]) -> Vec<u32> {
    let mut products = orders.concat();
    products.sort_unstable();
    products.dedup();
    products
}

/// The share of the last orders that hold each product.
fn shares(orders: &[&[u32]], recency: usize) -> Vec<(u32, f32)> {
    let last = &orders[orders.len().saturating_sub(recency)..];
    let mut products = last.concat();
    products.sort_unstable();
    let runs = products.chunk_by(|a, b| a == b);
    runs.map(|run| (run[0], run.len() as f32 / last.len() as f32)).collect()
}

impl<'a> Users<'a> {
    fn new(references: &[&'a OrderHistory]) -> Self {
        let orders: Vec<_> = references.iter().map(|user| user.baskets()).collect();
        let mut buyers: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        let mut sizes = Vec::with_capacity(orders.len());
        for (user, orders) in (0_u32..).zip(&orders) {
            let products = distinct(orders);
            sizes.push(products.len() as f32);
            products.iter().for_each(|product| buyers.entry(*product).or_default().push(user));
        }
        Self { orders, sizes, buyers }
    }

    /// Users with common products, by the number of these.
    fn overlaps(&self, own: &[u32]) -> Vec<(u32, f32)> {
        let mut counts = vec![0_u32; self.sizes.len()];
        for product in own {
            for &user in self.buyers.get(product).map_or(&[][..], |buyers| buyers) {
                counts[user as usize] += 1;
            }
        }
        let common = (0..).zip(counts).filter(|(_, count)| *count > 0);
        common.map(|(user, count)| (user, count as f32)).collect()
    }

    /// The most similar users with their similarity to the power of [`LOCALITY`].
    fn similar(
        &self,
        overlaps: &[(u32, f32)],
        own: f32,
        parameters: Parameters,
    ) -> Vec<(u32, f32)> {
        let Parameters { alpha, neighbours, .. } = parameters;
        let own = own.powf(alpha);
        let similarity = |&(user, common): &(u32, f32)| {
            (user, common / (own * self.sizes[user as usize].powf(1.0 - alpha)))
        };
        let mut similar: Vec<(u32, f32)> = overlaps.iter().map(similarity).collect();
        if similar.len() > neighbours {
            let order = |a: &(u32, f32), b: &(u32, f32)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
            similar.select_nth_unstable_by(neighbours, order);
            similar.truncate(neighbours);
        }
        // The same order of additions everywhere.
        similar.sort_unstable_by_key(|&(user, _)| user);
        similar.into_iter().map(|(user, s)| (user, s.powi(LOCALITY))).collect()
    }
}

/// The scores of a user with these orders. `shares_of` gives the shares of a reference user.
fn scores<'s>(
    similar: &[(u32, f32)],
    own: &[(u32, f32)],
    shares_of: impl Fn(u32) -> &'s [(u32, f32)],
) -> FxHashMap<u32, f32> {
    let mut scores: FxHashMap<u32, f32> = own.iter().copied().collect();
    for &(user, similarity) in similar {
        for &(product, share) in shares_of(user) {
            *scores.entry(product).or_default() += similarity * share;
        }
    }
    scores
}

/// UP-CF over reference users.
pub(super) struct UpCf<'a> {
    users: Users<'a>,
    parameters: Parameters,
    shares: Vec<Vec<(u32, f32)>>,
}

impl<'a> UpCf<'a> {
    /// Chooses the parameters with the highest Recall@10 for the newest orders of `tuning`.
    pub(super) fn tuned(references: &[&'a OrderHistory], tuning: &[Labelled<'_>]) -> Self {
        let users = Users::new(references);
        let shares_at = |recency| -> Vec<Vec<(u32, f32)>> {
            users.orders.iter().map(|orders| shares(orders, recency)).collect()
        };
        let products: Vec<Vec<u32>> = tuning.iter().map(|user| distinct(&user.before)).collect();
        let overlaps: Vec<_> = products.iter().map(|own| users.overlaps(own)).collect();
        let [recency, ..] = RECENCIES;
        let untuned = Parameters { recency, alpha: ALPHAS[0], neighbours: NEIGHBOURS[0] };
        let mut chosen = (-1.0, untuned);
        for recency in RECENCIES {
            let others = shares_at(recency);
            let own: Vec<_> = tuning.iter().map(|user| shares(&user.before, recency)).collect();
            for (alpha, neighbours) in
                ALPHAS.into_iter().flat_map(|alpha| NEIGHBOURS.map(|n| (alpha, n)))
            {
                let parameters = Parameters { recency, alpha, neighbours };
                let lists =
                    products.iter().zip(&overlaps).zip(&own).map(|((products, overlaps), own)| {
                        let size = products.len() as f32;
                        let similar = users.similar(overlaps, size, parameters);
                        top(scores(&similar, own, |user| &others[user as usize]), 10)
                    });
                let recall = recall(lists, tuning);
                if recall > chosen.0 {
                    chosen = (recall, parameters);
                }
            }
        }
        let (_, parameters) = chosen;
        Self { shares: shares_at(parameters.recency), users, parameters }
    }
}

impl Baseline for UpCf<'_> {
    fn name(&self) -> &'static str {
        "UP-CF"
    }

    fn rank(&self, question: &Question<'_>, limit: usize) -> Vec<u32> {
        if question.orders.is_empty() {
            return question.best([], limit);
        }
        let products = distinct(question.orders);
        let overlaps = self.users.overlaps(&products);
        let similar = self.users.similar(&overlaps, products.len() as f32, self.parameters);
        let own = shares(question.orders, self.parameters.recency);
        let scores = scores(&similar, &own, |user| &self.shares[user as usize]);
        question.best(scores, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_count_the_last_orders_only() {
        let orders: [&[u32]; 3] = [&[1, 2], &[2, 3], &[2]];
        assert_eq!(shares(&orders, 2), [(2, 1.0), (3, 0.5)]);
        assert_eq!(shares(&orders, 9)[0], (1, 1.0 / 3.0));
        assert_eq!(distinct(&orders), [1, 2, 3]);
    }
}
