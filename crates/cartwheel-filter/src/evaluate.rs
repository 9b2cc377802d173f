//! Evaluates an expression for one product.

use crate::ast::{Expr, Literal, Node, Operator};
use crate::compare::{calculate, holds};
use crate::item::Item;
use crate::name::Name;
use crate::value::Value;

/// The value of a part for a product. Names that are no fields have been replaced by values.
pub(crate) fn value<'a>(node: &'a Node, item: &Item<'a>, now_ms: i64) -> Value<'a> {
    match &node.expr {
        Expr::Literal(literal) => literal.value(),
        Expr::Name(name) => of_name(name, item, now_ms),
        Expr::Has(name) => Value::Flag(of_name(name, item, now_ms) != Value::Missing),
        Expr::Not(operand) => Value::Flag(!value(operand, item, now_ms).is_true()),
        Expr::Minus(operand) => match value(operand, item, now_ms) {
            Value::Number(number) => Value::Number(number.negated()),
            _ => Value::Missing,
        },
        Expr::Binary(operator, left, right) => {
            let is_true = |node: &'a Node| value(node, item, now_ms).is_true();
            match operator {
                Operator::Or => Value::Flag(is_true(left) || is_true(right)),
                Operator::And => Value::Flag(is_true(left) && is_true(right)),
                Operator::In => match value(left, item, now_ms) {
                    Value::Text(text) => Value::Flag(contains(right, text, item, now_ms)),
                    _ => Value::Flag(false),
                },
                Operator::Plus | Operator::Minus | Operator::Times | Operator::Over => {
                    match (value(left, item, now_ms), value(right, item, now_ms)) {
                        (Value::Number(left), Value::Number(right)) => {
                            Value::number(calculate(*operator, left, right))
                        }
                        _ => Value::Missing,
                    }
                }
                _ => {
                    let (left, right) = (value(left, item, now_ms), value(right, item, now_ms));
                    Value::Flag(holds(*operator, &left, &right))
                }
            }
        }
    }
}

/// Whether a list contains a text.
fn contains<'a>(list: &'a Node, text: &str, item: &Item<'a>, now_ms: i64) -> bool {
    match &list.expr {
        // Without a copy of the list for every product.
        Expr::Literal(Literal::Texts(texts)) => texts.iter().any(|entry| entry == text),
        _ => match value(list, item, now_ms) {
            Value::Texts(texts) => texts.contains(&text),
            _ => false,
        },
    }
}

fn of_name<'a>(name: &'a Name, item: &Item<'a>, now_ms: i64) -> Value<'a> {
    match name {
        Name::Field(field) => item.value(field, now_ms),
        Name::Fact(_) | Name::Context(_) => Value::Missing,
    }
}
