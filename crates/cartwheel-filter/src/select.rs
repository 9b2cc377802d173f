//! Selects from an index all products that fulfil an expression.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::ast::{Expr, Literal, Node, Operator};
use crate::compare::{calculate, compares, is_equal};
use crate::decimal::Decimal;
use crate::index::{Column, Index, Numbers, Posting, Texts};
use crate::item::age_days;
use crate::name::{Field, Name};

/// An index at a moment.
#[derive(Clone, Copy)]
pub(crate) struct Selection<'a> {
    pub(crate) index: &'a Index,
    /// UTC milliseconds.
    pub(crate) now_ms: i64,
}

/// The numbers that a part has for all products.
enum Operand<'a> {
    /// The same for every product.
    Same(Decimal),
    /// Some products have one each.
    Each(Cow<'a, Numbers>),
    /// No product has any.
    Missing,
}

impl<'a> Selection<'a> {
    /// The products that fulfil a condition.
    pub(crate) fn of(self, node: &Node) -> RoaringBitmap {
        match &node.expr {
            Expr::Literal(Literal::Flag(true)) => self.index.all.clone(),
            Expr::Name(name) => {
                self.column(name).map_or_else(Default::default, |column| column.flags.set.clone())
            }
            Expr::Has(name) => {
                self.column(name).map_or_else(Default::default, |column| column.present.clone())
            }
            Expr::Not(operand) => &self.index.all - self.of(operand),
            Expr::Binary(Operator::Or, left, right) => self.of(left) | self.of(right),
            Expr::Binary(Operator::And, left, right) => self.of(left) & self.of(right),
            Expr::Binary(Operator::In, left, right) => self.members(left, right),
            Expr::Binary(operator, left, right) => {
                self.compared(*operator, left, right)
                    | self.equal_texts(*operator, left, right)
                    | self.equal_flags(*operator, left, right)
            }
            Expr::Literal(_) | Expr::Minus(_) => RoaringBitmap::new(),
        }
    }

    fn column(self, name: &Name) -> Option<&'a Column> {
        match name {
            Name::Field(field) => self.index.column(field),
            Name::Fact(_) | Name::Context(_) => None,
        }
    }

    fn column_of(self, node: &Node) -> Option<&'a Column> {
        match &node.expr {
            Expr::Name(name) => self.column(name),
            _ => None,
        }
    }

    /// The products for which `list` contains `text`.
    fn members(self, text: &Node, list: &Node) -> RoaringBitmap {
        match (&text.expr, &list.expr) {
            (Expr::Literal(Literal::Text(text)), _) => {
                let column = self.column_of(list);
                column
                    .and_then(|c| c.lists.get(text))
                    .map_or_else(Default::default, Posting::bitmap)
            }
            (_, Expr::Literal(Literal::Texts(texts))) => {
                let mut found = RoaringBitmap::new();
                if let Some(column) = self.column_of(text) {
                    let postings = texts.iter().filter_map(|text| column.texts.get(text));
                    postings.for_each(|posting| posting.add_to(&mut found));
                }
                found
            }
            _ => match (self.column_of(text), self.column_of(list)) {
                (Some(text), Some(list)) => common(&text.texts, &list.lists),
                _ => RoaringBitmap::new(),
            },
        }
    }

    /// The products whose texts are equal, or not.
    fn equal_texts(self, operator: Operator, left: &Node, right: &Node) -> RoaringBitmap {
        let (both, equal) = match (self.column_of(left), self.column_of(right)) {
            (Some(left), Some(right)) => {
                (&left.texts.all & &right.texts.all, common(&left.texts, &right.texts))
            }
            (Some(column), None) | (None, Some(column)) => {
                let Some(text) = text_of(left).or_else(|| text_of(right)) else {
                    return RoaringBitmap::new();
                };
                let posting = column.texts.get(text);
                let equal = posting.map_or_else(Default::default, Posting::bitmap);
                match operator {
                    Operator::Equal => return equal,
                    _ => (column.texts.all.clone(), equal),
                }
            }
            (None, None) => return RoaringBitmap::new(),
        };
        chosen(operator, both, equal)
    }

    /// The products whose flags are equal, or not.
    fn equal_flags(self, operator: Operator, left: &Node, right: &Node) -> RoaringBitmap {
        match (self.column_of(left), self.column_of(right)) {
            (Some(left), Some(right)) => {
                let (a, b) = (&left.flags, &right.flags);
                let both = (&a.set | &a.unset) & (&b.set | &b.unset);
                chosen(operator, both, (&a.set & &b.set) | (&a.unset & &b.unset))
            }
            (Some(column), None) | (None, Some(column)) => {
                let Some(flag) = flag_of(left).or_else(|| flag_of(right)) else {
                    return RoaringBitmap::new();
                };
                let flags = &column.flags;
                let equal = if flag { &flags.set } else { &flags.unset };
                chosen(operator, &flags.set | &flags.unset, equal.clone())
            }
            (None, None) => RoaringBitmap::new(),
        }
    }

    /// The products whose numbers compare as demanded.
    fn compared(self, operator: Operator, left: &Node, right: &Node) -> RoaringBitmap {
        let number = Decimal::from_stored;
        match (self.numbers(left), self.numbers(right)) {
            (Operand::Each(left), Operand::Same(right)) => {
                collected(&left.products, |at| compares(operator, number(left.values[at]), right))
            }
            (Operand::Same(left), Operand::Each(right)) => {
                collected(&right.products, |at| compares(operator, left, number(right.values[at])))
            }
            (Operand::Each(left), Operand::Each(right)) => {
                let (left, right) = aligned(left, right);
                let holds = |at: usize| {
                    compares(operator, number(left.values[at]), number(right.values[at]))
                };
                collected(&left.products, holds)
            }
            _ => RoaringBitmap::new(),
        }
    }

    fn numbers(self, node: &Node) -> Operand<'a> {
        match &node.expr {
            Expr::Literal(Literal::Number(number)) => Operand::Same(*number),
            Expr::Name(Name::Field(Field::AgeDays)) => {
                let column = self.index.column(&Field::AgeDays);
                column.map_or(Operand::Missing, |column| {
                    Operand::Each(Cow::Owned(
                        column.numbers.mapped(|since_ms| age_days(since_ms, self.now_ms)),
                    ))
                })
            }
            Expr::Name(name) => self
                .column(name)
                .map_or(Operand::Missing, |column| Operand::Each(Cow::Borrowed(&column.numbers))),
            Expr::Minus(operand) => match self.numbers(operand) {
                Operand::Same(number) => Operand::Same(number.negated()),
                Operand::Each(numbers) => Operand::Each(Cow::Owned(
                    numbers.mapped(|value| Some(Decimal::from_stored(value).negated())),
                )),
                Operand::Missing => Operand::Missing,
            },
            Expr::Binary(operator, left, right) => {
                calculated(*operator, self.numbers(left), self.numbers(right))
            }
            _ => Operand::Missing,
        }
    }
}

/// The results of an operation on the numbers of all products.
fn calculated<'a>(operator: Operator, left: Operand<'a>, right: Operand<'a>) -> Operand<'a> {
    let number = Decimal::from_stored;
    let numbers = match (left, right) {
        (Operand::Same(left), Operand::Same(right)) => {
            return calculate(operator, left, right).map_or(Operand::Missing, Operand::Same);
        }
        (Operand::Each(left), Operand::Same(right)) => {
            left.mapped(|left| calculate(operator, number(left), right))
        }
        (Operand::Same(left), Operand::Each(right)) => {
            right.mapped(|right| calculate(operator, left, number(right)))
        }
        (Operand::Each(left), Operand::Each(right)) => {
            let (left, right) = aligned(left, right);
            let mut places = 0..;
            left.mapped(|left| {
                let right = right.values[places.next()?];
                calculate(operator, number(left), number(right))
            })
        }
        _ => return Operand::Missing,
    };
    Operand::Each(Cow::Owned(numbers))
}

impl Numbers {
    /// The numbers that a function makes of these, in their order.
    fn mapped(&self, mut of: impl FnMut(i64) -> Option<Decimal>) -> Self {
        let mut products = Vec::with_capacity(self.products.len());
        let mut values = Vec::with_capacity(self.values.len());
        for (product, value) in self.products.iter().zip(&self.values) {
            if let Some(number) = of(*value) {
                products.push(*product);
                values.push(number.units());
            }
        }
        Self { products, values }
    }
}

/// Two lists of numbers, reduced to the products that have both.
fn aligned<'a>(
    left: Cow<'a, Numbers>,
    right: Cow<'a, Numbers>,
) -> (Cow<'a, Numbers>, Cow<'a, Numbers>) {
    if left.products == right.products {
        return (left, right);
    }
    let (mut a, mut b) = (Numbers::default(), Numbers::default());
    let mut at = 0;
    for (product, value) in left.products.iter().zip(&left.values) {
        while right.products.get(at).is_some_and(|other| other < product) {
            at += 1;
        }
        if right.products.get(at) == Some(product) {
            a.products.push(*product);
            a.values.push(*value);
            b.products.push(*product);
            b.values.push(right.values[at]);
        }
    }
    (Cow::Owned(a), Cow::Owned(b))
}

/// The products, given in rising order, at whose places something holds.
fn collected(products: &[u32], holds: impl Fn(usize) -> bool) -> RoaringBitmap {
    let Some(last) = products.last() else { return RoaringBitmap::new() };
    // A bit for each product: many times as fast as one insertion after another.
    let mut bytes = vec![0_u8; *last as usize / 8 + 1];
    for (at, product) in products.iter().enumerate() {
        bytes[*product as usize / 8] |= u8::from(holds(at)) << (product % 8);
    }
    RoaringBitmap::from_lsb0_bytes(0, &bytes)
}

/// The products that have the same text in both.
fn common(left: &Texts, right: &Texts) -> RoaringBitmap {
    let (few, many) = if left.len() <= right.len() { (left, right) } else { (right, left) };
    let mut found = RoaringBitmap::new();
    for (text, products) in few.iter() {
        if let Some(others) = many.get(text) {
            found |= products.bitmap() & others.bitmap();
        }
    }
    found
}

/// Of `both`, which have two comparable values, those that are `equal`, or the others.
fn chosen(operator: Operator, both: RoaringBitmap, equal: RoaringBitmap) -> RoaringBitmap {
    match (is_equal(operator, true), is_equal(operator, false)) {
        (true, _) => equal,
        (_, true) => both - equal,
        _ => RoaringBitmap::new(),
    }
}

fn text_of(node: &Node) -> Option<&str> {
    match &node.expr {
        Expr::Literal(Literal::Text(text)) => Some(text),
        _ => None,
    }
}

fn flag_of(node: &Node) -> Option<bool> {
    match &node.expr {
        Expr::Literal(Literal::Flag(flag)) => Some(*flag),
        _ => None,
    }
}
