//! Splits a text into tokens.

use std::ops::Range;

use crate::decimal::{DECIMALS, Decimal};
use crate::error::Fault;

/// Longest text, in characters.
pub const MAX_LENGTH: usize = 2_000;

/// The smallest parts of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// A name or a keyword.
    Word(String),
    /// A text in quotes, without them.
    Text(String),
    Number(Decimal),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the text.
    End,
}

/// A token and its place in the text, in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Placed {
    pub(crate) token: Token,
    pub(crate) at: Range<usize>,
}

/// Longer symbols come before those that they begin with.
const SYMBOLS: [&str; 16] =
    ["<=", ">=", "!=", "=", "<", ">", "+", "-", "*", "/", "(", ")", "[", "]", ",", "."];

/// Spellings of other languages, and what to write here.
const FOREIGN: [(&str, &str); 5] =
    [("==", "="), ("<>", "!="), ("&&", "and"), ("||", "or"), ("!", "not")];

/// Whether a name needs no quotes.
pub(crate) fn is_word(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(starts_word) && chars.all(continues_word)
}

fn starts_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn continues_word(c: char) -> bool {
    starts_word(c) || c.is_ascii_digit()
}

/// Returns the tokens of a text; the last one is [`Token::End`].
pub(crate) fn lex(text: &str) -> Result<Vec<Placed>, Fault> {
    if let Some((end, _)) = text.char_indices().nth(MAX_LENGTH) {
        let expected = format!("at most {MAX_LENGTH} characters");
        return Err(Fault::new(end..end, "the filter goes on for too long", expected));
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let (token, length) = match c {
            _ if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '"' | '\'' => quoted(rest, c, at)?,
            _ if c.is_ascii_digit() => number(rest, at)?,
            _ if starts_word(c) => {
                let length = rest.find(|c| !continues_word(c)).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => symbol(rest, c, at)?,
        };
        tokens.push(Placed { token, at: at..at + length });
        at += length;
    }
    tokens.push(Placed { token: Token::End, at: at..at });
    Ok(tokens)
}

/// A text in quotes. A backslash precedes a quote or a backslash that belongs to it.
fn quoted(rest: &str, quote: char, at: usize) -> Result<(Token, usize), Fault> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((place, c)) = chars.next() {
        match c {
            _ if c == quote => return Ok((Token::Text(text), place + 1)),
            '\\' => match chars.next() {
                Some((_, c)) if c == '\\' || c == '"' || c == '\'' => text.push(c),
                _ => {
                    let at = at + place;
                    let problem = "a backslash stands before neither a quote nor a backslash";
                    return Err(Fault::new(at..at + 1, problem, r#"\\, \" or \'"#));
                }
            },
            _ => text.push(c),
        }
    }
    Err(Fault::new(at..at + 1, "a text begins that does not end", format!("another {quote}")))
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), Fault> {
    let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let whole = digits(rest);
    let fraction = rest[whole..].strip_prefix('.').map_or(0, digits);
    let length = if fraction == 0 { whole } else { whole + 1 + fraction };
    if fraction > DECIMALS {
        let problem = "a number has too many decimals";
        return Err(Fault::new(at..at + length, problem, format!("at most {DECIMALS} decimals")));
    }
    match Decimal::parse(&rest[..length]) {
        Some(number) => Ok((Token::Number(number), length)),
        None => {
            let expected = "at most 12 digits before the decimal point";
            Err(Fault::new(at..at + length, "a number is too large", expected))
        }
    }
}

fn symbol(rest: &str, c: char, at: usize) -> Result<(Token, usize), Fault> {
    let foreign = FOREIGN.iter().find(|(spelling, _)| rest.starts_with(spelling));
    let known = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
    match (foreign, known) {
        (Some((spelling, _)), Some(symbol)) if symbol.len() > spelling.len() => {
            Ok((Token::Symbol(symbol), symbol.len()))
        }
        (Some((spelling, ours)), _) => {
            let at = at..at + spelling.len();
            let fault = Fault::new(at, format!("{spelling} is no operator"), *ours);
            Err(fault.suggesting(Some(*ours)))
        }
        (None, Some(symbol)) => Ok((Token::Symbol(symbol), symbol.len())),
        (None, None) => {
            let at = at..at + c.len_utf8();
            let shown = if c.is_control() { "a control character".into() } else { format!("{c}") };
            let problem = format!("{shown} has no meaning");
            Err(Fault::new(at, problem, "a name, a number, an operator, or a text in quotes"))
        }
    }
}
