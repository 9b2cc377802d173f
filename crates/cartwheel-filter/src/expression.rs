//! Expressions, and the conditions that they become for a shopper.

use std::fmt;

use roaring::RoaringBitmap;

use crate::ast::{Expr, Node, Operator};
use crate::bind::{Shopper, bind};
use crate::check::Request;
use crate::context::Context;
use crate::error::FilterError;
use crate::evaluate::value;
use crate::index::Index;
use crate::item::Item;
use crate::name::{Field, Name};
use crate::select::Selection;

/// A checked expression with the values that its request gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    root: Node,
    context: Context,
}

/// What asks with an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A shopper with a cart: `user` and `cart` are known.
    Shopper,
    /// A list that is the same for everybody.
    Everybody,
}

impl Expression {
    /// Reads a text of at most [`MAX_LENGTH`](crate::MAX_LENGTH) characters.
    ///
    /// # Errors
    /// The first problem: a character or a word that does not belong at its place, a name that
    /// does not exist, values that cannot be compared, or an expression that is too large.
    pub fn parse(text: &str, context: Context, source: Source) -> Result<Self, FilterError> {
        read(text, Some(&context), source).map(|root| Self { root, context })
    }

    /// Checks a text that later requests will use, each with values of its own.
    ///
    /// # Errors
    /// As [`Expression::parse`], but a value of the context may be missing, and of any kind.
    pub fn check(text: &str, source: Source) -> Result<(), FilterError> {
        read(text, None, source).map(|_| ())
    }

    /// The expression that both hold. Both have the values of the same request.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let at = self.root.at.clone();
        let expr = Expr::Binary(Operator::And, Box::new(self.root), Box::new(other.root));
        Self { root: Node { expr, at }, context: self.context }
    }

    /// The condition on products for a shopper.
    pub fn bind(&self, shopper: &Shopper<'_>) -> Condition {
        Condition { root: bind(&self.root, shopper, &self.context) }
    }
}

fn read(text: &str, context: Option<&Context>, source: Source) -> Result<Node, FilterError> {
    Request { context, has_shopper: source == Source::Shopper, has_products: true }.read(text)
}

impl fmt::Display for Expression {
    /// Writes a text that is read as the same expression.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

/// A condition on products. Its display is the same for equal conditions alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    root: Node,
}

impl Condition {
    /// Whether a product fulfils it at `now_ms`, UTC milliseconds.
    pub fn matches(&self, item: &Item<'_>, now_ms: i64) -> bool {
        value(&self.root, item, now_ms).is_true()
    }

    /// The products of an index that fulfil it at `now_ms`, UTC milliseconds.
    pub fn select(&self, index: &Index, now_ms: i64) -> RoaringBitmap {
        Selection { index, now_ms }.of(&self.root)
    }

    /// Whether products begin or cease to fulfil it as time passes.
    pub fn depends_on_time(&self) -> bool {
        depends_on_time(&self.root)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

fn depends_on_time(node: &Node) -> bool {
    match &node.expr {
        Expr::Literal(_) => false,
        // Whether a product has an age does not change.
        Expr::Has(_) => false,
        Expr::Name(name) => *name == Name::Field(Field::AgeDays),
        Expr::Not(operand) | Expr::Minus(operand) => depends_on_time(operand),
        Expr::Binary(_, left, right) => depends_on_time(left) || depends_on_time(right),
    }
}
