//! Parses tokens by precedence climbing.
//!
//! ```text
//! expression = expression ("or" | "and") expression | "not" expression | test
//! test       = value [comparison value | ["not"] "in" value]
//! comparison = "=" | "!=" | "<" | "<=" | ">" | ">="
//! value      = value ("+" | "-" | "*" | "/") value | "-" value | "(" expression ")"
//!            | "has" "(" name ")" | name | number | text | list | "true" | "false"
//! list       = "[" text {"," text} "]"
//! name       = word ["." (word | text)]
//! ```

use std::ops::Range;

use crate::ast::{Expr, Literal, Node, Operator, strength};
use crate::error::Fault;
use crate::lex::{Placed, Token, lex};
use crate::name::{ATTRIBUTES, CONTEXT, Fact, Field, Name, named, nearest};

/// Most parts that stand inside one another.
pub const MAX_DEPTH: usize = 50;
/// Most values and names of an expression.
pub const MAX_TERMS: usize = 200;

const OPERATOR: &str = "an operator such as `and`, `=` or `in`, or the end";
const VALUE: &str = "a field, a number, a text in quotes, or a bracket";

/// Parses a text whose names are not checked against a request yet.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let mut parser = Parser { tokens: lex(text)?, next: 0, depth: 0, terms: 0 };
    let node = parser.expression(strength::OR)?;
    match parser.peek() {
        Placed { token: Token::End, .. } => Ok(node),
        unexpected => Err(misplaced(unexpected, OPERATOR)),
    }
}

/// Tokens and how far they are read. The last token is [`Token::End`], and is never passed.
struct Parser {
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    terms: usize,
}

impl Parser {
    fn peek(&self) -> &Placed {
        &self.tokens[self.next]
    }

    fn take(&mut self) -> Placed {
        let placed = self.peek().clone();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        placed
    }

    /// Takes a token if it is the next one.
    fn takes(&mut self, symbol: &'static str) -> bool {
        let found = self.peek().token == Token::Symbol(symbol);
        if found {
            self.take();
        }
        found
    }

    fn demand(&mut self, symbol: &'static str, expected: &str) -> Result<Range<usize>, Fault> {
        match self.take() {
            Placed { token: Token::Symbol(found), at } if found == symbol => Ok(at),
            unexpected => Err(misplaced(&unexpected, expected)),
        }
    }

    /// The operator that comes next, with the number of its tokens, and whether it is negated.
    fn operator(&self) -> Option<(Operator, usize, bool)> {
        match &self.peek().token {
            Token::Symbol(symbol) => named(&Operator::ALL, symbol).map(|found| (found, 1, false)),
            Token::Word(word) if is_keyword(word, "not") => {
                match self.tokens.get(self.next + 1).map(|placed| &placed.token) {
                    Some(Token::Word(word)) if is_keyword(word, "in") => {
                        Some((Operator::In, 2, true))
                    }
                    _ => None,
                }
            }
            Token::Word(word) => {
                named(&Operator::ALL, &word.to_ascii_lowercase()).map(|found| (found, 1, false))
            }
            _ => None,
        }
    }

    /// Parses operators that bind at least as tightly as `least`, and their operands.
    fn expression(&mut self, least: u8) -> Result<Node, Fault> {
        let mut left = self.prefixed()?;
        let mut compared = false;
        while let Some((operator, tokens, negated)) = self.operator() {
            let own = operator.strength();
            if own < least {
                break;
            }
            if own == strength::COMPARISON && compared {
                let expected = "`and` between two comparisons";
                return Err(Fault::new(
                    self.peek().at.clone(),
                    "comparisons are chained",
                    expected,
                ));
            }
            compared = own == strength::COMPARISON;
            for _ in 0..tokens {
                self.take();
            }
            let right = self.nested(|parser| parser.expression(own + 1))?;
            let at = left.at.start..right.at.end;
            let expr = Expr::Binary(operator, Box::new(left), Box::new(right));
            left = Node { expr, at };
            if negated {
                let at = left.at.clone();
                left = Node { expr: Expr::Not(Box::new(left)), at };
            }
        }
        Ok(left)
    }

    /// Parses something that stands inside something else.
    fn nested(
        &mut self,
        parse: impl FnOnce(&mut Self) -> Result<Node, Fault>,
    ) -> Result<Node, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let expected = format!("at most {MAX_DEPTH} parts inside one another");
            return Err(Fault::new(self.peek().at.clone(), "parts are nested too deep", expected));
        }
        let node = parse(self);
        self.depth -= 1;
        node
    }

    fn prefixed(&mut self) -> Result<Node, Fault> {
        let first = self.peek().clone();
        let start = first.at.start;
        let prefixed = |operand: Node, expr: fn(Box<Node>) -> Expr| {
            let at = start..operand.at.end;
            Node { expr: expr(Box::new(operand)), at }
        };
        match &first.token {
            Token::Word(word) if is_keyword(word, "not") => {
                self.take();
                let operand = self.nested(|parser| parser.expression(strength::NOT))?;
                Ok(prefixed(operand, Expr::Not))
            }
            Token::Symbol("-") => {
                self.take();
                let operand = self.nested(Self::prefixed)?;
                Ok(prefixed(operand, Expr::Minus))
            }
            Token::Symbol("(") => {
                self.take();
                let inner = self.nested(|parser| parser.expression(strength::OR))?;
                let end = self.demand(")", "an operator, or `)`")?.end;
                Ok(Node { at: start..end, ..inner })
            }
            _ => self.term(),
        }
    }

    fn term(&mut self) -> Result<Node, Fault> {
        self.terms += 1;
        let Placed { token, at } = self.take();
        if self.terms > MAX_TERMS {
            let expected = format!("at most {MAX_TERMS} values and names");
            return Err(Fault::new(at, "the filter has too many parts", expected));
        }
        let start = at.start;
        let expr = match token {
            Token::Number(number) => Expr::Literal(Literal::Number(number)),
            Token::Text(text) => Expr::Literal(Literal::Text(text)),
            Token::Symbol("[") => Expr::Literal(Literal::Texts(self.texts()?)),
            Token::Word(word) if is_keyword(&word, "true") => Expr::Literal(Literal::Flag(true)),
            Token::Word(word) if is_keyword(&word, "false") => Expr::Literal(Literal::Flag(false)),
            Token::Word(word) if is_keyword(&word, "has") => {
                self.demand("(", "`(` and the name of a field")?;
                let placed = self.take();
                let Token::Word(word) = &placed.token else {
                    return Err(misplaced(&placed, "the name of a field"));
                };
                let name = self.name(word, placed.at)?;
                self.demand(")", "`)`")?;
                Expr::Has(name)
            }
            Token::Word(word) => Expr::Name(self.name(&word, at)?),
            token => return Err(misplaced(&Placed { token, at }, VALUE)),
        };
        // What was taken last ends the term.
        let end = self.tokens[..self.next].last().map_or(start, |placed| placed.at.end);
        Ok(Node { expr, at: start..end })
    }

    /// The texts of a list whose bracket is open.
    fn texts(&mut self) -> Result<Vec<String>, Fault> {
        let mut texts = Vec::new();
        loop {
            match self.take() {
                Placed { token: Token::Text(text), .. } => texts.push(text),
                unexpected => return Err(misplaced(&unexpected, "a text in quotes")),
            }
            if !self.takes(",") {
                self.demand("]", "`,` or `]`")?;
                return Ok(texts);
            }
        }
    }

    /// A name that begins with `word`, which is taken already.
    fn name(&mut self, word: &str, at: Range<usize>) -> Result<Name, Fault> {
        if !self.takes(".") {
            let field = named(&Field::NAMED, word).map(Name::Field);
            return field.ok_or_else(|| unknown_field(word, at));
        }
        let placed = self.take();
        let rest = match placed.token {
            Token::Word(rest) => rest,
            Token::Text(rest) if !rest.is_empty() => rest,
            _ => return Err(misplaced(&placed, "a name after the point")),
        };
        match word {
            ATTRIBUTES => Ok(Name::Field(Field::Attribute(rest))),
            CONTEXT => Ok(Name::Context(rest)),
            _ => {
                let name = format!("{word}.{rest}");
                let fact = named(&Fact::NAMED, &name).map(Name::Fact);
                fact.ok_or_else(|| unknown_fact(&name, at.start..placed.at.end))
            }
        }
    }
}

fn is_keyword(word: &str, keyword: &str) -> bool {
    word.eq_ignore_ascii_case(keyword)
}

fn names<T>(named: &[(&'static str, T)]) -> impl Iterator<Item = &'static str> {
    named.iter().map(|(name, _)| *name)
}

fn unknown_field(word: &str, at: Range<usize>) -> Fault {
    let list: Vec<&str> = names(&Field::NAMED).collect();
    let expected = format!(
        "one of {}, attributes.NAME, context.NAME, user.NAME or cart.NAME; or a text in quotes",
        list.join(", ")
    );
    let suggestion = nearest(word, names(&Field::NAMED));
    Fault::new(at, format!("there is no field {word}"), expected).suggesting(suggestion)
}

fn unknown_fact(name: &str, at: Range<usize>) -> Fault {
    let list: Vec<&str> = names(&Fact::NAMED).collect();
    let expected = format!("attributes.NAME, context.NAME, or one of {}", list.join(", "));
    let prefixed = match name.split_once('.') {
        Some((prefix, rest)) => {
            let near = nearest(prefix, [ATTRIBUTES, CONTEXT]);
            near.map(|prefix| format!("{prefix}.{rest}"))
        }
        None => None,
    };
    let suggestion = prefixed.or_else(|| nearest(name, names(&Fact::NAMED)).map(str::to_owned));
    Fault::new(at, format!("there is no {name}"), expected).suggesting(suggestion)
}

/// The fault of a token that does not belong at its place.
fn misplaced(placed: &Placed, expected: &str) -> Fault {
    let problem = match &placed.token {
        Token::Word(word) => format!("{word} does not belong here"),
        Token::Text(_) => "a text does not belong here".to_owned(),
        Token::Number(_) => "a number does not belong here".to_owned(),
        Token::Symbol(symbol) => format!("{symbol} does not belong here"),
        Token::End => "the filter ends too early".to_owned(),
    };
    Fault::new(placed.at.clone(), problem, expected)
}
