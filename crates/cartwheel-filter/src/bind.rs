//! Replaces names of facts and of the context by their values.

use crate::ast::{Expr, Literal, Node};
use crate::context::Context;
use crate::decimal::Decimal;
use crate::evaluate::value;
use crate::item::Item;
use crate::name::{Fact, Field, Name};
use crate::value::Value;

/// The shopper of a request.
#[derive(Debug, Clone, Default)]
pub struct Shopper<'a> {
    /// Whether the shopper has no account.
    pub is_guest: bool,
    /// The number of the shopper's orders.
    pub orders: u32,
    /// The shopper's cart.
    pub cart: ShopperCart<'a>,
}

/// The products of a cart, each with its pieces.
pub type ShopperCart<'a> = Vec<(Item<'a>, u32)>;

/// A product without values, for parts that name no field.
const NOTHING: Item<'static> = Item::unknown("");

/// Replaces names of facts and of the context, and calculates all parts that name no field.
pub(crate) fn bind(node: &Node, shopper: &Shopper<'_>, context: &Context) -> Node {
    let inner = |node: &Node| Box::new(bind(node, shopper, context));
    let literal = |name: &Name| match name {
        Name::Field(_) => None,
        Name::Fact(fact) => Some(shopper.fact(*fact)),
        Name::Context(name) => Some(context.get(name).cloned().unwrap_or(Literal::Missing)),
    };
    let expr = match &node.expr {
        Expr::Literal(_) => node.expr.clone(),
        Expr::Name(name) => literal(name).map_or_else(|| node.expr.clone(), Expr::Literal),
        Expr::Has(name) => literal(name).map_or_else(
            || node.expr.clone(),
            |literal| Expr::Literal(Literal::Flag(literal.value() != Value::Missing)),
        ),
        Expr::Not(operand) => Expr::Not(inner(operand)),
        Expr::Minus(operand) => Expr::Minus(inner(operand)),
        Expr::Binary(operator, left, right) => Expr::Binary(*operator, inner(left), inner(right)),
    };
    let bound = Node { expr, at: node.at.clone() };
    let is_calculated = match &bound.expr {
        Expr::Literal(_) | Expr::Name(_) | Expr::Has(_) => false,
        Expr::Not(operand) | Expr::Minus(operand) => is_literal(operand),
        Expr::Binary(_, left, right) => is_literal(left) && is_literal(right),
    };
    if !is_calculated {
        return bound;
    }
    let literal = match value(&bound, &NOTHING, 0) {
        Value::Flag(flag) => Literal::Flag(flag),
        Value::Number(number) => Literal::Number(number),
        // No operation makes a text.
        Value::Missing | Value::Text(_) | Value::Texts(_) => Literal::Missing,
    };
    Node { expr: Expr::Literal(literal), at: bound.at }
}

fn is_literal(node: &Node) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

impl Shopper<'_> {
    fn fact(&self, fact: Fact) -> Literal {
        let number = |number: Option<Decimal>| number.map_or(Literal::Missing, Literal::Number);
        match fact {
            Fact::IsGuest => Literal::Flag(self.is_guest),
            Fact::Orders => number(Decimal::whole(i64::from(self.orders))),
            Fact::Size => number(i64::try_from(self.cart.len()).ok().and_then(Decimal::whole)),
            Fact::Total => number(self.total()),
            Fact::MinPrice => number(self.prices().min()),
            Fact::MaxPrice => number(self.prices().max()),
            Fact::Products => self.texts(&Field::ProductId),
            Fact::Departments => self.texts(&Field::Department),
            Fact::Aisles => self.texts(&Field::Aisle),
            Fact::Brands => self.texts(&Field::Brand),
        }
    }

    fn prices(&self) -> impl Iterator<Item = Decimal> + '_ {
        self.cart.iter().filter_map(|(item, _)| price(item))
    }

    /// The sum of the cart; `None` if a price is missing.
    fn total(&self) -> Option<Decimal> {
        let zero = Decimal::whole(0)?;
        self.cart.iter().try_fold(zero, |sum, (item, pieces)| {
            sum.plus(price(item)?.times(Decimal::whole(i64::from(*pieces))?)?)
        })
    }

    /// The distinct texts of a field in the cart, sorted.
    fn texts(&self, field: &Field) -> Literal {
        let texts = self.cart.iter().filter_map(|(item, _)| match item.value(field, 0) {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        });
        let mut texts: Vec<String> = texts.collect();
        texts.sort_unstable();
        texts.dedup();
        Literal::Texts(texts)
    }
}

fn price(item: &Item<'_>) -> Option<Decimal> {
    match item.value(&Field::Price, 0) {
        Value::Number(price) => Some(price),
        _ => None,
    }
}
