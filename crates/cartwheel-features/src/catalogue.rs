//! Per-product data: finished from partials and held in memory.

use std::cmp::Reverse;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};
use serde::{Deserialize, Serialize};

use crate::affinity::{Affinities, companions};
use crate::cadence::Cadences;
use crate::contents::Contents;
use crate::hazard::{Hazard, Rebuys};
use crate::lists::Lists;
use crate::neighbour::{Neighbour, all_below};
use crate::neighbours::neighbours;
use crate::parameters::{Parameter, Parameters};
use crate::partial::{Merged, Partial, ProductStats};
use crate::product_info::ProductInfo;
use crate::source::Sources;
use crate::transitions::transitions;
use crate::user::{Context, UserProduct};
use crate::visits::{Related, Visits, relations};
use crate::weeks::{FAST_DECAY_DAYS, Lately, Trail};

/// One product of the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The product's texts.
    pub info: ProductInfo,
    /// The product's counts.
    pub stats: ProductStats,
    /// Index of its aisle, dense from 0.
    pub aisle: u32,
    /// Index of its department, dense from 0.
    pub department: u32,
    /// Popularity rank, from 0.
    pub rank: u32,
    /// How soon it is bought again.
    pub hazard: Hazard,
    /// Its orders over time.
    pub trail: Trail,
}

/// All products by index; immutable once built.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// Products in the order of their ids.
    pub products: Vec<Product>,
    /// By product: products in the same baskets, best first; at most [`crate::MAX_NEIGHBOURS`].
    pub neighbours: Lists<Neighbour>,
    /// By product: products that its buyers buy next, itself among them, by probability, best first; at
    /// most [`crate::MAX_TRANSITIONS`].
    pub transitions: Lists<Neighbour>,
    /// Product indices by popularity, best first.
    pub popular: Vec<u32>,
    /// Number of order lines counted.
    pub lines: u64,
    /// Number of orders counted.
    pub orders: u64,
    /// Number of users counted.
    pub users: u64,
    /// All orders over time.
    pub trail: Trail,
    /// In a catalogue for training rows, which is counted without the user of the row: the
    /// number of the shop's users per user counted. `None` in a catalogue over all users.
    pub others: Option<f32>,
    /// What visits tell about the products.
    pub visits: Visits,
    /// Products that the same customers buy.
    pub affinities: Affinities,
    /// Sources that propose nothing and whose columns are empty.
    pub without: Sources,
    /// What the shop says about the products.
    pub contents: Arc<Contents>,
    /// The parameters of the sources that were chosen for the shop.
    pub parameters: Parameters,
    /// How soon the products are bought again.
    pub cadences: Cadences,
    /// Places of the products, found by the hashes of their ids.
    index: HashTable<u32>,
}

/// A catalogue's parameters with another value of one of them, and what it shapes.
pub struct Variant {
    parameters: Parameters,
    lists: Shaped,
}

/// What a parameter shapes, by catalogue index.
enum Shaped {
    Neighbours(Lists<Neighbour>),
    Companions(Lists<Neighbour>),
    Related(Related),
    /// It has its part in requests alone.
    Nothing,
}

impl Catalogue {
    /// Builds the catalogue over all users from their partial, with the standard parameters. `infos`
    /// holds the texts by product index.
    pub fn finish(infos: Vec<ProductInfo>, partial: Partial) -> Self {
        Self::of_all(infos, &Merged::of(&[&partial]), Parameters::default())
    }

    /// Builds the catalogue over all users. `infos` holds the texts by product index.
    pub fn of_all(infos: Vec<ProductInfo>, all: &Merged<'_>, parameters: Parameters) -> Self {
        Self::build(infos, all, None, parameters)
    }

    /// Builds a catalogue for the training rows of users whom `merged` leaves out. `users` is
    /// the number of all users.
    pub fn of_others(
        infos: Vec<ProductInfo>,
        merged: &Merged<'_>,
        users: u64,
        parameters: Parameters,
    ) -> Self {
        let others = users.max(1) as f32 / merged.counts.users.max(1) as f32;
        Self::build(infos, merged, Some(others), parameters)
    }

    fn build(
        infos: Vec<ProductInfo>,
        merged: &Merged<'_>,
        others: Option<f32>,
        parameters: Parameters,
    ) -> Self {
        let Merged { counts, baskets, shoppers, visits } = merged;
        let (stats, orders, users) = (&counts.products, counts.orders, counts.users);
        let scale = others.unwrap_or(1.0);
        let count = infos.len();
        let of_baskets = || {
            let significant = parameters[Parameter::SignificantPairs];
            let neighbours = neighbours(count, baskets, scale, &[significant]).swap_remove(0);
            (neighbours, transitions(count, shoppers, scale))
        };
        let of_users = || {
            let visits = Visits::finish(visits, &counts.touches, scale, &parameters);
            (Affinities::of(count, shoppers, scale, &parameters), visits)
        };
        let ((neighbours, transitions), (affinities, visits)) = rayon::join(of_baskets, of_users);
        let mut popular: Vec<u32> = (0..infos.len() as u32).collect();
        let attention =
            |p: u32| visits.attention.get(p as usize).map_or(0, |a| a.trail.total() as u64);
        popular
            .sort_by_cached_key(|&p| (Reverse(stats[p as usize].orders), Reverse(attention(p)), p));
        let mut rank = vec![0; infos.len()];
        for (place, &product) in popular.iter().enumerate() {
            rank[product as usize] = place as u32;
        }
        let mut aisles = FxHashMap::default();
        let mut departments = FxHashMap::default();
        let dense = |names: &mut FxHashMap<String, u32>, name: &str| {
            let next = names.len() as u32;
            *names.entry(name.to_owned()).or_insert(next)
        };
        let products = infos.into_iter().zip(&counts.weeks).enumerate();
        let mut products: Vec<Product> = products
            .map(|(at, (info, weeks))| Product {
                stats: stats[at],
                aisle: dense(&mut aisles, &info.aisle),
                department: dense(&mut departments, &info.department),
                rank: rank[at],
                hazard: Hazard::default(),
                trail: Trail::new(weeks),
                info,
            })
            .collect();
        let lines = stats.iter().map(|s| u64::from(s.orders)).sum();
        set_hazards(&mut products, &counts.rebuys);
        let sold: Vec<(u32, u32)> =
            products.iter().map(|product| (product.aisle, product.stats.first_orders)).collect();
        let trail = Trail::new(&counts.all_weeks);
        Self {
            products,
            neighbours,
            transitions,
            popular,
            lines,
            orders,
            users,
            trail,
            others,
            visits,
            affinities,
            without: Sources::default(),
            contents: Arc::default(),
            parameters,
            cadences: Cadences::finish(&counts.gaps, &counts.repeats, &sold),
            index: HashTable::new(),
        }
        .indexed()
    }

    /// What a parameter shapes by each of several values: counted once, and finished for each.
    /// `merged` is what the catalogue was built from.
    pub fn variants(
        &self,
        parameter: Parameter,
        values: &[f64],
        merged: &Merged<'_>,
    ) -> Vec<Variant> {
        let (count, scale) = (self.products.len(), self.others.unwrap_or(1.0));
        let with = |value| self.parameters.with(parameter, value);
        let lists: Vec<Shaped> = match parameter {
            Parameter::SignificantPairs => {
                let found = neighbours(count, &merged.baskets, scale, values);
                found.into_iter().map(Shaped::Neighbours).collect()
            }
            Parameter::CompanionShrink => {
                let found = companions(count, &merged.shoppers, scale, values);
                found.into_iter().map(Shaped::Companions).collect()
            }
            Parameter::FollowSteps | Parameter::VisitPrior => {
                let related = |&value: &f64| {
                    relations(self.visits.attention.len(), &merged.visits, scale, &with(value))
                };
                values.iter().map(related).map(Shaped::Related).collect()
            }
            Parameter::VisitBack | Parameter::NearestVisits => {
                values.iter().map(|_| Shaped::Nothing).collect()
            }
        };
        let variants = values.iter().zip(lists);
        variants.map(|(&value, lists)| Variant { parameters: with(value), lists }).collect()
    }

    /// Takes what a variant has, and leaves there what the catalogue had.
    pub fn swap(&mut self, variant: &mut Variant) {
        std::mem::swap(&mut self.parameters, &mut variant.parameters);
        match &mut variant.lists {
            Shaped::Neighbours(lists) => std::mem::swap(&mut self.neighbours, lists),
            Shaped::Companions(lists) => std::mem::swap(&mut self.affinities.companions, lists),
            Shaped::Related(related) => std::mem::swap(&mut self.visits.related, related),
            Shaped::Nothing => {}
        }
    }

    /// Switches sources off: for requests and for training rows, since both ask the catalogue.
    pub fn without_sources(self, sources: &Sources) -> Self {
        Self { without: sources.clone(), ..self }
    }

    /// Adds what the shop says about the products, which several catalogues may share.
    pub fn with_contents(self, contents: &Arc<Contents>) -> Self {
        Self { contents: contents.clone(), ..self }
    }

    /// Whether every product index in it is valid; check this after reading a catalogue
    /// back.
    pub fn is_sound(&self) -> bool {
        let count = self.products.len();
        let Affinities { companions, attractions } = &self.affinities;
        let lists = [&self.neighbours, &self.transitions, companions, attractions];
        self.popular.iter().all(|&product| (product as usize) < count)
            && lists.map(Lists::len).iter().all(|&n| n == 0 || n == count)
            && lists.iter().all(|lists| all_below(lists.items(), count))
            && self.visits.is_sound(count)
            && self.contents.is_sound(count)
            && self.cadences.is_sound(count)
    }

    /// Builds the indices, which are not stored.
    pub fn indexed(mut self) -> Self {
        self.visits = self.visits.indexed();
        let hash = |at: &u32| hash(&self.products[*at as usize].info.product_id);
        let mut index = HashTable::with_capacity(self.products.len());
        for at in 0..self.products.len() as u32 {
            index.insert_unique(hash(&at), at, hash);
        }
        self.index = index;
        self
    }

    /// Returns the index of the product with the given id.
    pub fn find(&self, product_id: &str) -> Option<u32> {
        let is_it = |at: &u32| self.products[*at as usize].info.product_id == product_id;
        self.index.find(hash(product_id), is_it).copied()
    }

    /// Returns the product at an index.
    pub fn get(&self, product: u32) -> Option<&Product> {
        self.products.get(product as usize)
    }

    /// Returns what was sold of a product, the purchases of one user included. `own` are the
    /// purchases of that user, as of `day` on the scale of [`UserProduct::last_day`].
    ///
    /// A catalogue over all users contains them. In one for training rows they are added to
    /// those of the other users, scaled to the size of the shop: so the figures mean the same,
    /// and none contains the order that a row is to predict.
    pub fn sold(&self, product: &Product, own: Option<&UserProduct>, week: u16, day: f32) -> Sold {
        let ProductStats { orders, reorders, first_orders, second_orders } = product.stats;
        let lately = product.trail.before(week);
        let mut sold = Sold {
            orders: orders as f32,
            reorders: reorders as f32,
            buyers: first_orders as f32,
            repeat_buyers: second_orders as f32,
            lately,
        };
        let Some(scale) = self.others else { return sold };
        sold = Sold {
            orders: sold.orders * scale,
            reorders: sold.reorders * scale,
            buyers: sold.buyers * scale,
            repeat_buyers: sold.repeat_buyers * scale,
            lately: Lately { slow: lately.slow * scale, fast: lately.fast * scale },
        };
        if let Some(own) = own {
            sold.orders += own.orders as f32;
            sold.reorders += own.orders as f32 - 1.0;
            sold.buyers += 1.0;
            sold.repeat_buyers += f32::from(u8::from(own.orders > 1));
            sold.lately.slow += own.day_recency(day);
            sold.lately.fast += (-(day - own.last_day).max(0.0) / FAST_DECAY_DAYS).exp();
        }
        sold
    }

    /// Returns the orders of the whole shop: their number, and lately as of a week.
    pub fn all_sold(&self, week: u16) -> (f32, Lately) {
        let scale = self.others.unwrap_or(1.0);
        let Lately { slow, fast } = self.trail.before(week);
        let lately = Lately { slow: slow * scale, fast: fast * scale };
        (self.orders as f32 * scale, lately)
    }

    /// The week of a context for [`Self::sold`]. A moment after the last order or touch counted, or
    /// an unknown one, is taken for the week after, so that old data does not look as if nothing
    /// happened lately.
    pub fn week(&self, context: &Context) -> u16 {
        let last = |trail: &Trail| trail.span().map_or(0, |(_, last)| last.saturating_add(1));
        let newest = last(&self.trail).max(last(&self.visits.all));
        context.at_ms.map_or(newest, |ms| crate::weeks::week_of(ms).min(newest))
    }
}

/// Sets how soon each product is bought again. Products that few have bought are taken to be like
/// their aisle, and aisles like the shop.
/// The hash by which a product is found.
fn hash(product_id: &str) -> u64 {
    FxBuildHasher.hash_one(product_id)
}

fn set_hazards(products: &mut [Product], rebuys: &[Rebuys]) {
    let mut shop = Rebuys::default();
    let mut aisles: Vec<Rebuys> = Vec::new();
    for (product, rebuys) in products.iter().zip(rebuys) {
        let aisle = product.aisle as usize;
        if aisle >= aisles.len() {
            aisles.resize(aisle + 1, Rebuys::default());
        }
        aisles[aisle].merge(rebuys);
        shop.merge(rebuys);
    }
    let shop = shop.hazard(&Hazard::default());
    let aisles: Vec<Hazard> = aisles.iter().map(|aisle| aisle.hazard(&shop)).collect();
    for (product, rebuys) in products.iter_mut().zip(rebuys) {
        product.hazard = rebuys.hazard(&aisles[product.aisle as usize]);
    }
}

/// What was sold of a product.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sold {
    /// Order lines: `prod_orders`.
    pub orders: f32,
    /// Reordered lines: `prod_reorders`.
    pub reorders: f32,
    /// Users who bought it at least once: `prod_first_orders`.
    pub buyers: f32,
    /// Users who bought it at least twice: `prod_second_orders`.
    pub repeat_buyers: f32,
    /// Orders of the last weeks.
    pub lately: Lately,
}
