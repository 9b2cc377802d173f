//! Checks the kinds of values before an expression meets a product.

use crate::ast::{Expr, Node, Operator};
use crate::context::Context;
use crate::error::{Fault, FilterError};
use crate::name::{Name, nearest};
use crate::parse::parse;
use crate::value::Kind;

/// What an expression may refer to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The values that the request gives; `None` before there is a request.
    pub(crate) context: Option<&'a Context>,
    /// Whether there is a shopper with a cart.
    pub(crate) has_shopper: bool,
    /// Whether it is a condition on products.
    pub(crate) has_products: bool,
}

impl Request<'_> {
    /// Reads a condition.
    pub(crate) fn read(self, text: &str) -> Result<Node, FilterError> {
        let root = parse(text).and_then(|root| {
            self.check(&root)?;
            Ok(root)
        });
        root.map_err(|fault| fault.within(text))
    }

    /// Checks that an expression is a condition.
    fn check(self, node: &Node) -> Result<(), Fault> {
        self.demand(node, Kind::Flag, "a condition, such as a comparison")
    }

    /// Checks that a part may have a kind.
    fn demand(self, node: &Node, kind: Kind, expected: &str) -> Result<(), Fault> {
        let found = self.kind(node)?;
        if found.may_be(kind) {
            return Ok(());
        }
        Err(Fault::new(node.at.clone(), format!("{} is not accepted", found.as_str()), expected))
    }

    /// The kind of a part, all of whose parts are checked.
    fn kind(self, node: &Node) -> Result<Kind, Fault> {
        match &node.expr {
            Expr::Literal(literal) => Ok(literal.kind()),
            Expr::Name(name) => self.kind_of(name, node),
            Expr::Has(name) => self.kind_of(name, node).map(|_| Kind::Flag),
            Expr::Not(operand) => {
                self.demand(operand, Kind::Flag, "a condition after `not`")?;
                Ok(Kind::Flag)
            }
            Expr::Minus(operand) => {
                self.demand(operand, Kind::Number, "a number after `-`")?;
                Ok(Kind::Number)
            }
            Expr::Binary(operator, left, right) => self.binary(*operator, left, right),
        }
    }

    fn binary(self, operator: Operator, left: &Node, right: &Node) -> Result<Kind, Fault> {
        let sides = |kind, expected: &str| {
            self.demand(left, kind, expected)?;
            self.demand(right, kind, expected)
        };
        let word = operator.as_str();
        match operator {
            Operator::Or | Operator::And => {
                sides(Kind::Flag, &format!("a condition on each side of `{word}`"))?;
                Ok(Kind::Flag)
            }
            Operator::Plus | Operator::Minus | Operator::Times | Operator::Over => {
                sides(Kind::Number, &format!("a number on each side of `{word}`"))?;
                Ok(Kind::Number)
            }
            Operator::Less | Operator::AtMost | Operator::Greater | Operator::AtLeast => {
                sides(Kind::Number, &format!("a number on each side of `{word}`"))?;
                Ok(Kind::Flag)
            }
            Operator::Equal | Operator::Unequal => {
                let kinds = (self.operand(left)?, self.operand(right)?);
                if !kinds.0.may_be(kinds.1) {
                    let problem =
                        format!("{} is compared with {}", kinds.1.as_str(), kinds.0.as_str());
                    let expected = format!("{}, as on the left", kinds.0.as_str());
                    return Err(Fault::new(right.at.clone(), problem, expected));
                }
                Ok(Kind::Flag)
            }
            Operator::In => {
                let expected = "a text on the left of `in`, and a list of texts on the right";
                self.demand(left, Kind::Text, expected)?;
                self.demand(right, Kind::Texts, expected)?;
                Ok(Kind::Flag)
            }
        }
    }

    /// The kind of an operand of `=`: a single value.
    fn operand(self, node: &Node) -> Result<Kind, Fault> {
        let kind = self.kind(node)?;
        let is_condition = match &node.expr {
            Expr::Not(_) | Expr::Has(_) => true,
            Expr::Binary(..) => kind == Kind::Flag,
            _ => false,
        };
        if is_condition {
            let expected = "the condition alone, or `not` before it";
            return Err(Fault::new(node.at.clone(), "a condition is compared", expected));
        }
        if kind == Kind::Texts {
            let expected = "`in` between a text and a list";
            return Err(Fault::new(node.at.clone(), "a list is compared", expected));
        }
        Ok(kind)
    }

    fn kind_of(self, name: &Name, node: &Node) -> Result<Kind, Fault> {
        match name {
            Name::Field(field) if self.has_products => Ok(field.kind()),
            Name::Field(_) => {
                let problem = format!("{name} belongs to a product, and no product is asked about");
                Err(Fault::new(node.at.clone(), problem, "names of `user`, `cart` and `context`"))
            }
            Name::Fact(fact) if self.has_shopper => Ok(fact.kind()),
            Name::Fact(_) => {
                let problem = format!("{name} is unknown, since the request has no shopper");
                Err(Fault::new(node.at.clone(), problem, "fields of products and values"))
            }
            Name::Context(given) => {
                let Some(context) = self.context else { return Ok(Kind::Any) };
                let kind = context.get(given).map(|literal| literal.kind());
                kind.ok_or_else(|| {
                    let near = nearest(given, context.names());
                    let near = near.map(|near| Name::Context(near.to_owned()).to_string());
                    let problem = format!("the request gives no {name}");
                    let expected = "a value of the request's `context`; null if it is unknown";
                    Fault::new(node.at.clone(), problem, expected).suggesting(near)
                })
            }
        }
    }
}
