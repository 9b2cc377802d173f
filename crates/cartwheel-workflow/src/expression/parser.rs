//! The parser of expressions.

use serde_json::Value;

use super::Expression;
use crate::intrinsic::Function;
use crate::path::Path;

/// Most levels of nested calls.
const MAX_DEPTH: usize = 10;

impl Expression {
    /// Parses a path or a call.
    ///
    /// # Errors
    /// A description of the problem.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path);
        }
        let mut parser = Parser { text, position: 0 };
        let call = parser.argument(0)?;
        parser.skip_space();
        if parser.position < text.len() || !matches!(call, Self::Call(..)) {
            return Err(format!("{text:?} is neither a path nor an intrinsic function"));
        }
        Ok(call)
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Byte offset of the unread rest.
    position: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.position..]
    }

    fn skip_space(&mut self) {
        self.position += self.rest().len() - self.rest().trim_start().len();
    }

    fn expected<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("{:?}: expected {expected} at character {}", self.text, self.position + 1))
    }

    /// Consumes `token` if it comes next.
    fn consume(&mut self, token: &str) -> bool {
        self.skip_space();
        let found = self.rest().starts_with(token);
        self.position += if found { token.len() } else { 0 };
        found
    }

    fn argument(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err(format!("{:?} nests more than {MAX_DEPTH} functions", self.text));
        }
        if self.consume("States.") {
            return self.call(depth);
        }
        self.skip_space();
        if self.rest().starts_with('\'') {
            return self.string().map(|text| Expression::Literal(Value::String(text)));
        }
        let token = self.token();
        let start = self.position - token.len();
        if token.starts_with('$') {
            return Path::parse(token.trim_end()).map(Expression::Path);
        }
        match serde_json::from_str(token.trim()) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => {
                Ok(Expression::Literal(value))
            }
            _ => {
                self.position = start;
                self.expected("a path, a function, a 'string', a number, true, false or null")
            }
        }
    }

    /// Consumes everything up to the comma or parenthesis that ends the argument.
    fn token(&mut self) -> &'a str {
        let (mut depth, mut quote, mut last) = (0, None, ' ');
        let rest = self.rest();
        let end = rest.char_indices().find_map(|(at, c)| {
            let before = std::mem::replace(&mut last, c);
            match (quote, c) {
                (Some(q), c) if c == q && before != '\\' => quote = None,
                (Some(_), _) => {}
                (None, '\'' | '"') => quote = Some(c),
                (None, '[' | '(') => depth += 1,
                (None, ')' | ',') if depth == 0 => return Some(at),
                (None, ']' | ')') => depth -= 1,
                _ => {}
            }
            None
        });
        let end = end.unwrap_or(rest.len());
        self.position += end;
        &rest[..end]
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.position += at + 1;
                    return Ok(out);
                }
                // `States.Format` unescapes braces itself.
                '\\' => match chars.next() {
                    Some((_, c @ ('{' | '}'))) => out.extend(['\\', c]),
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.position = self.text.len();
        self.expected("a closing quote")
    }

    fn call(&mut self, depth: usize) -> Result<Expression, String> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(rest.len());
        let name = &rest[..length];
        let Some(function) = Function::named(name) else {
            return Err(format!("there is no intrinsic function States.{name}"));
        };
        self.position += length;
        if !self.consume("(") {
            return self.expected("\"(\"");
        }
        let mut arguments = Vec::new();
        if !self.consume(")") {
            loop {
                arguments.push(self.argument(depth + 1)?);
                if self.consume(")") {
                    break;
                }
                if !self.consume(",") {
                    return self.expected("\",\" or \")\"");
                }
            }
        }
        let arity = function.arity();
        if !arity.contains(&arguments.len()) {
            let (min, max) = (arity.start(), arity.end());
            let takes = if min == max { min.to_string() } else { format!("{min} or more") };
            return Err(format!("States.{name} takes {takes} arguments, not {}", arguments.len()));
        }
        Ok(Expression::Call(function, arguments))
    }
}
