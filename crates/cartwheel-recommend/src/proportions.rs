//! In which proportions a shopper buys from the departments, and how far a list is from them.

use cartwheel_features::{Catalogue, UserState};

/// The share of the shopper's proportions that is mixed into those of a list, so that a department
/// which the list lacks does not make the distance infinite: α of Steck.
const SMOOTHING: f64 = 0.01;

/// The shares of departments in a shopper's purchases.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Proportions {
    /// By department; their sum is 1, or 0 without purchases.
    shares: Vec<f64>,
}

impl Proportions {
    /// The shares of departments in the history, each product weighted by recency.
    pub fn of(catalogue: &Catalogue, state: &UserState) -> Self {
        let mut shares: Vec<f64> = Vec::new();
        for own in &state.products {
            let Some(department) = department(catalogue, own.product) else { continue };
            if shares.len() <= department {
                shares.resize(department + 1, 0.0);
            }
            shares[department] += f64::from(own.recency(state.orders + 1));
        }
        let sum: f64 = shares.iter().sum();
        if sum <= 0.0 {
            return Self::default();
        }
        Self { shares: shares.into_iter().map(|weight| weight / sum).collect() }
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    /// How far the departments of a list are from these proportions: the Kullback-Leibler
    /// divergence with smoothing, in nats. `None` if nothing is known or the list is empty.
    pub fn distance(&self, catalogue: &Catalogue, list: &[u32]) -> Option<f64> {
        let mut counts = Counts::of(self);
        list.iter().for_each(|&product| counts.add(department(catalogue, product)));
        (!self.is_empty() && !list.is_empty()).then(|| counts.distance(list.len()))
    }
}

/// The widest category of a product of the catalogue.
pub(crate) fn department(catalogue: &Catalogue, product: u32) -> Option<usize> {
    catalogue.get(product).map(|product| product.department as usize)
}

/// The departments of a list that grows.
pub(crate) struct Counts<'a> {
    proportions: &'a Proportions,
    /// By department, those of the proportions alone: no other has a part in the distance.
    counts: Vec<usize>,
}

impl<'a> Counts<'a> {
    pub(crate) fn of(proportions: &'a Proportions) -> Self {
        Self { proportions, counts: vec![0; proportions.shares.len()] }
    }

    pub(crate) fn add(&mut self, department: Option<usize>) {
        if let Some(count) = department.and_then(|department| self.counts.get_mut(department)) {
            *count += 1;
        }
    }

    /// The distance of a list of `length` products with these departments.
    pub(crate) fn distance(&self, length: usize) -> f64 {
        (0..self.counts.len()).map(|at| self.part(at, self.counts[at], length)).sum()
    }

    /// How the distance changes with a product of a department, apart from the length.
    pub(crate) fn change(&self, department: Option<usize>, length: usize) -> f64 {
        let Some(at) = department.filter(|at| *at < self.counts.len()) else { return 0.0 };
        let count = self.counts[at];
        self.part(at, count + 1, length) - self.part(at, count, length)
    }

    /// The part of a department: p · ln(p / q̃), with q̃ = (1 - α) · q + α · p.
    fn part(&self, at: usize, count: usize, length: usize) -> f64 {
        let p = self.proportions.shares[at];
        if p <= 0.0 {
            return 0.0;
        }
        let q = count as f64 / length.max(1) as f64;
        p * (p / ((1.0 - SMOOTHING) * q + SMOOTHING * p)).ln()
    }
}
