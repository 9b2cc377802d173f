//! The fields of all products, by value.

use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::item::Item;
use crate::name::Field;
use crate::value::Value;

/// An index of a catalogue: for each field the products that have a value. Products are numbered
/// by their place, from 0.
#[derive(Debug, Default)]
pub struct Index {
    /// Every product.
    pub(crate) all: RoaringBitmap,
    columns: FxHashMap<Field, Column>,
}

/// The values of a field. An attribute may be a text for one product and a number for another.
#[derive(Debug, Default)]
pub(crate) struct Column {
    /// Products with a value of any kind.
    pub(crate) present: RoaringBitmap,
    pub(crate) flags: Flags,
    pub(crate) numbers: Numbers,
    /// Products by their text.
    pub(crate) texts: Texts,
    /// Products by each text of their lists.
    pub(crate) lists: Texts,
}

/// The products for which a flag is set, and for which it is not.
#[derive(Debug, Default)]
pub(crate) struct Flags {
    pub(crate) set: RoaringBitmap,
    pub(crate) unset: RoaringBitmap,
}

/// Products with their numbers: the same places in both, products rising.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Numbers {
    pub(crate) products: Vec<u32>,
    /// Millionths; of `age_days`, the moment from which it counts, UTC milliseconds.
    pub(crate) values: Vec<i64>,
}

/// Products by text.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) all: RoaringBitmap,
    by_text: FxHashMap<Box<str>, Posting>,
}

/// The products with a text. Ids and other unique texts have one product each, for which a
/// bitmap would be large.
#[derive(Debug)]
pub(crate) enum Posting {
    One(u32),
    Many(RoaringBitmap),
}

impl Posting {
    fn insert(&mut self, product: u32) {
        match self {
            Self::One(first) => *self = Self::Many([*first, product].into_iter().collect()),
            Self::Many(products) => {
                products.insert(product);
            }
        }
    }

    pub(crate) fn add_to(&self, products: &mut RoaringBitmap) {
        match self {
            Self::One(product) => {
                products.insert(*product);
            }
            Self::Many(more) => *products |= more,
        }
    }

    pub(crate) fn bitmap(&self) -> RoaringBitmap {
        let mut products = RoaringBitmap::new();
        self.add_to(&mut products);
        products
    }
}

impl Texts {
    fn insert(&mut self, text: &str, product: u32) {
        self.all.insert(product);
        match self.by_text.get_mut(text) {
            Some(posting) => posting.insert(product),
            None => {
                self.by_text.insert(text.into(), Posting::One(product));
            }
        }
    }

    pub(crate) fn get(&self, text: &str) -> Option<&Posting> {
        self.by_text.get(text)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Posting)> {
        self.by_text.iter().map(|(text, posting)| (&**text, posting))
    }

    pub(crate) fn len(&self) -> usize {
        self.by_text.len()
    }
}

impl Index {
    /// Indexes products, the first of which has the number 0. `None` is a product that no
    /// expression finds.
    pub fn new<'a>(items: impl IntoIterator<Item = Option<Item<'a>>>) -> Self {
        let mut index = Self::default();
        for (product, item) in (0..).zip(items) {
            if let Some(item) = item {
                index.insert(product, &item);
            }
        }
        index
    }

    fn insert(&mut self, product: u32, item: &Item<'_>) {
        self.all.insert(product);
        for (_, field) in Field::NAMED {
            if field == Field::AgeDays {
                if let Some(since_ms) = item.since_ms() {
                    let column = self.columns.entry(field).or_default();
                    column.present.insert(product);
                    column.numbers.push(product, since_ms);
                }
            } else {
                self.insert_value(product, item, field);
            }
        }
        for name in item.attributes() {
            self.insert_value(product, item, Field::Attribute(name.to_owned()));
        }
    }

    fn insert_value(&mut self, product: u32, item: &Item<'_>, field: Field) {
        let value = item.value(&field, 0);
        if value == Value::Missing {
            return;
        }
        let column = self.columns.entry(field).or_default();
        column.present.insert(product);
        match value {
            Value::Missing => {}
            Value::Flag(true) => drop(column.flags.set.insert(product)),
            Value::Flag(false) => drop(column.flags.unset.insert(product)),
            Value::Number(number) => column.numbers.push(product, number.units()),
            Value::Text(text) => column.texts.insert(text, product),
            Value::Texts(texts) => {
                for text in texts {
                    column.lists.insert(text, product);
                }
            }
        }
    }

    /// The values of a field; `None` if no product has any.
    pub(crate) fn column(&self, field: &Field) -> Option<&Column> {
        self.columns.get(field)
    }
}

impl Numbers {
    fn push(&mut self, product: u32, value: i64) {
        self.products.push(product);
        self.values.push(value);
    }
}
