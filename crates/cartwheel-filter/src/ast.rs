//! The tree of an expression, and how it is written.

use std::fmt;
use std::ops::Range;

use crate::decimal::Decimal;
use crate::lex::is_word;
use crate::name::{ATTRIBUTES, CONTEXT, Fact, Field, Name};
use crate::value::{Kind, Value};

/// A part of an expression with its place in the text, in bytes. Equal parts may stand at
/// different places.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) expr: Expr,
    pub(crate) at: Range<usize>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.expr == other.expr
    }
}

impl Eq for Node {}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expr {
    Literal(Literal),
    Name(Name),
    Has(Name),
    Not(Box<Node>),
    Minus(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

/// A value that stands in the text, or that took the place of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Literal {
    Missing,
    Flag(bool),
    Number(Decimal),
    Text(String),
    Texts(Vec<String>),
}

impl Literal {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Missing => Kind::Any,
            Self::Flag(_) => Kind::Flag,
            Self::Number(_) => Kind::Number,
            Self::Text(_) => Kind::Text,
            Self::Texts(_) => Kind::Texts,
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Flag(flag) => Value::Flag(*flag),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text),
            Self::Texts(texts) => Value::texts(texts.iter().map(String::as_str)),
        }
    }
}

/// An operator with two operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Or,
    And,
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    In,
    Plus,
    Minus,
    Times,
    Over,
}

/// How tightly parts hold together, from `or` to single values.
pub(crate) mod strength {
    pub(crate) const OR: u8 = 1;
    pub(crate) const AND: u8 = 2;
    pub(crate) const NOT: u8 = 3;
    pub(crate) const COMPARISON: u8 = 4;
    pub(crate) const SUM: u8 = 5;
    pub(crate) const PRODUCT: u8 = 6;
    pub(crate) const MINUS: u8 = 7;
    pub(crate) const VALUE: u8 = 8;
}

impl Operator {
    pub(crate) const ALL: [(&str, Self); 13] = [
        ("or", Self::Or),
        ("and", Self::And),
        ("=", Self::Equal),
        ("!=", Self::Unequal),
        ("<", Self::Less),
        ("<=", Self::AtMost),
        (">", Self::Greater),
        (">=", Self::AtLeast),
        ("in", Self::In),
        ("+", Self::Plus),
        ("-", Self::Minus),
        ("*", Self::Times),
        ("/", Self::Over),
    ];

    pub(crate) fn strength(self) -> u8 {
        match self {
            Self::Or => strength::OR,
            Self::And => strength::AND,
            Self::Plus | Self::Minus => strength::SUM,
            Self::Times | Self::Over => strength::PRODUCT,
            _ => strength::COMPARISON,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, operator)| *operator == self).map_or("", |(text, _)| text)
    }
}

impl Expr {
    fn strength(&self) -> u8 {
        match self {
            Self::Literal(_) | Self::Name(_) | Self::Has(_) => strength::VALUE,
            Self::Not(_) => strength::NOT,
            Self::Minus(_) => strength::MINUS,
            Self::Binary(operator, ..) => operator.strength(),
        }
    }
}

impl Node {
    /// Writes the part, in brackets if it holds together less tightly than its place demands.
    fn write(&self, f: &mut fmt::Formatter<'_>, least: u8) -> fmt::Result {
        if self.expr.strength() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.expr {
            Expr::Literal(literal) => write!(f, "{literal}"),
            Expr::Name(name) => write!(f, "{name}"),
            Expr::Has(name) => write!(f, "has({name})"),
            Expr::Not(operand) => {
                f.write_str("not ")?;
                operand.write(f, strength::NOT)
            }
            Expr::Minus(operand) => {
                f.write_str("-")?;
                operand.write(f, strength::MINUS)
            }
            Expr::Binary(operator, left, right) => {
                let own = operator.strength();
                // `a < b < c` means nothing, but `a - b - c` does.
                let of_left = if own == strength::COMPARISON { own + 1 } else { own };
                left.write(f, of_left)?;
                write!(f, " {} ", operator.as_str())?;
                right.write(f, own + 1)
            }
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write_quoted(f, text),
            Self::Texts(texts) => {
                f.write_str("[")?;
                for (place, text) in texts.iter().enumerate() {
                    f.write_str(if place == 0 { "" } else { ", " })?;
                    write_quoted(f, text)?;
                }
                f.write_str("]")
            }
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, name) = match self {
            Self::Field(Field::Attribute(name)) => (ATTRIBUTES, name),
            Self::Context(name) => (CONTEXT, name),
            Self::Field(field) => return f.write_str(name_of(&Field::NAMED, field)),
            Self::Fact(fact) => return f.write_str(name_of(&Fact::NAMED, fact)),
        };
        write!(f, "{prefix}.")?;
        if is_word(name) { f.write_str(name) } else { write_quoted(f, name) }
    }
}

fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, known)| known == value).map_or("", |(name, _)| name)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
