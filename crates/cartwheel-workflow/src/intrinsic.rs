//! Intrinsic functions, `States.Format('{}', $.name)`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::failure::{Failure, INTRINSIC, PARAMETER_PATH};
use crate::path::Path;
use crate::scope::{Random, Scope};

/// Longest text that base64 and hash functions take, in characters.
const MAX_TEXT: usize = 10_000;
/// Most values of `States.ArrayRange`.
const MAX_RANGE: i64 = 1000;
/// How deep calls may be nested.
const MAX_DEPTH: usize = 10;

/// A value that a template or a field computes: a path or a call.
#[derive(Debug, Clone)]
pub(crate) enum Expression {
    Literal(Value),
    Path(Path),
    Call(Function, Vec<Expression>),
}

macro_rules! functions {
    ($($name:ident $least:literal $most:literal),* $(,)?) => {
        /// An intrinsic function.
        #[expect(clippy::upper_case_acronyms, reason = "names as in the States Language")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($name),* }

        impl Function {
            /// The function of that name, with the least and most arguments it takes.
            fn named(name: &str) -> Option<(Self, usize, usize)> {
                match name { $(stringify!($name) => Some((Self::$name, $least, $most)),)* _ => None }
            }

            fn name(self) -> &'static str {
                match self { $(Self::$name => concat!("States.", stringify!($name))),* }
            }
        }
    };
}

functions! {
    Format 1 1000, StringToJson 1 1, JsonToString 1 1, Array 0 1000, ArrayPartition 2 2,
    ArrayContains 2 2, ArrayRange 3 3, ArrayGetItem 2 2, ArrayLength 1 1, ArrayUnique 1 1,
    Base64Encode 1 1, Base64Decode 1 1, Hash 2 2, JsonMerge 3 3, MathRandom 2 3, MathAdd 2 2,
    StringSplit 2 2, UUID 0 0,
}

impl Expression {
    /// Parses a path or a call.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path);
        }
        let mut parser = Parser { text, at: 0 };
        let call = parser.value(0)?;
        parser.space();
        if parser.at < text.len() || !matches!(call, Self::Call(..)) {
            return Err(format!("{text:?} is neither a path nor one intrinsic function"));
        }
        Ok(call)
    }

    /// Computes it.
    ///
    /// # Errors
    /// `States.ParameterPathFailure` where a path finds nothing,
    /// `States.IntrinsicFailure` where arguments do not fit.
    pub(crate) fn value(&self, scope: &mut Scope<'_>) -> Result<Value, Failure> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path) => path.find(scope.data, scope.context).ok_or_else(|| {
                let cause = format!("The path {} found nothing.", path.as_str());
                Failure::new(PARAMETER_PATH, cause)
            }),
            Self::Call(function, arguments) => {
                let values: Result<Vec<Value>, Failure> =
                    arguments.iter().map(|argument| argument.value(scope)).collect();
                call(*function, &values?, scope.random)
                    .map_err(|why| Failure::new(INTRINSIC, format!("{}: {why}", function.name())))
            }
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, String> {
        Err(format!("{:?}: expected {expected} at character {}", self.text, self.at + 1))
    }

    fn takes(&mut self, token: &str) -> bool {
        self.space();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn value(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err(format!("{:?} nests more than {MAX_DEPTH} functions", self.text));
        }
        if self.takes("States.") {
            return self.call(depth);
        }
        self.space();
        if self.rest().starts_with('\'') {
            return self.string().map(|text| Expression::Literal(Value::String(text)));
        }
        let token = self.token();
        let start = self.at - token.len();
        if token.starts_with('$') {
            return Path::parse(token.trim_end()).map(Expression::Path);
        }
        match serde_json::from_str(token.trim()) {
            Ok(value @ (Value::Null | Value::Bool(_) | Value::Number(_))) => {
                Ok(Expression::Literal(value))
            }
            _ => {
                self.at = start;
                self.wrong("a path, a function, a 'string', a number, true, false or null")
            }
        }
    }

    /// Up to the comma or bracket that ends an argument.
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
        self.at += end;
        &rest[..end]
    }

    fn string(&mut self) -> Result<String, String> {
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\'' => {
                    self.at += at + 1;
                    return Ok(out);
                }
                // A template's escaped braces stay escaped until they are formatted.
                '\\' => match chars.next() {
                    Some((_, c @ ('{' | '}'))) => out.extend(['\\', c]),
                    Some((_, c)) => out.push(c),
                    None => break,
                },
                c => out.push(c),
            }
        }
        self.at = self.text.len();
        self.wrong("a closing quote")
    }

    fn call(&mut self, depth: usize) -> Result<Expression, String> {
        let length = self.rest().find(|c: char| !c.is_alphanumeric()).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        let Some((function, least, most)) = Function::named(name) else {
            return Err(format!("there is no intrinsic function States.{name}"));
        };
        self.at += length;
        if !self.takes("(") {
            return self.wrong("\"(\"");
        }
        let mut arguments = Vec::new();
        if !self.takes(")") {
            loop {
                arguments.push(self.value(depth + 1)?);
                if self.takes(")") {
                    break;
                }
                if !self.takes(",") {
                    return self.wrong("\",\" or \")\"");
                }
            }
        }
        if !(least..=most).contains(&arguments.len()) {
            let takes = if least == most { least.to_string() } else { format!("{least} or more") };
            return Err(format!("States.{name} takes {takes} arguments, not {}", arguments.len()));
        }
        Ok(Expression::Call(function, arguments))
    }
}

fn call(function: Function, arguments: &[Value], random: &mut Random) -> Result<Value, String> {
    let at = |index: usize| arguments.get(index).unwrap_or(&Value::Null);
    let text = |index: usize| {
        at(index).as_str().ok_or_else(|| format!("argument {} is not a string", index + 1))
    };
    let list = |index: usize| {
        at(index).as_array().ok_or_else(|| format!("argument {} is not an array", index + 1))
    };
    let whole = |index: usize| {
        let number = at(index).as_i64().or_else(|| at(index).as_f64().map(|n| n.round() as i64));
        number.ok_or_else(|| format!("argument {} is not a number", index + 1))
    };
    let short = |index: usize| {
        let text = text(index)?;
        let fits = text.chars().count() <= MAX_TEXT;
        if fits { Ok(text) } else { Err(format!("the text is longer than {MAX_TEXT} characters")) }
    };
    Ok(match function {
        Function::Format => Value::String(fill(text(0)?, &arguments[1..])?),
        Function::StringToJson => {
            serde_json::from_str(text(0)?).map_err(|e| format!("the text is not JSON: {e}"))?
        }
        Function::JsonToString => Value::String(at(0).to_string()),
        Function::Array => Value::Array(arguments.to_vec()),
        Function::ArrayPartition => {
            let size = usize::try_from(whole(1)?).ok().filter(|&size| size > 0);
            let size = size.ok_or("the chunk size is not positive")?;
            list(0)?.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect()
        }
        Function::ArrayContains => list(0)?.iter().any(|item| same(item, at(1))).into(),
        Function::ArrayRange => range(whole(0)?, whole(1)?, whole(2)?)?,
        Function::ArrayGetItem => {
            let item = usize::try_from(whole(1)?).ok().and_then(|index| list(0).ok()?.get(index));
            list(0)?;
            item.cloned().ok_or("the index is outside the array")?
        }
        Function::ArrayLength => list(0)?.len().into(),
        Function::ArrayUnique => {
            let mut unique: Vec<Value> = Vec::new();
            for item in list(0)? {
                if !unique.iter().any(|seen| same(seen, item)) {
                    unique.push(item.clone());
                }
            }
            Value::Array(unique)
        }
        Function::Base64Encode => BASE64.encode(short(0)?).into(),
        Function::Base64Decode => {
            let bytes = BASE64.decode(short(0)?).map_err(|e| format!("not base64: {e}"))?;
            String::from_utf8(bytes).map_err(|_| "the bytes are not UTF-8".to_owned())?.into()
        }
        Function::Hash => hash(at(0), text(1)?)?.into(),
        Function::JsonMerge => {
            if at(2) != &Value::Bool(false) {
                return Err("only a shallow merge is possible: the third argument is false".into());
            }
            let (Value::Object(first), Value::Object(second)) = (at(0), at(1)) else {
                return Err("only objects can be merged".into());
            };
            let mut merged = first.clone();
            merged.extend(second.clone());
            Value::Object(merged)
        }
        Function::MathRandom => {
            let (start, end) = (whole(0)?, whole(1)?);
            let seeded = arguments.len() > 2;
            let fraction =
                if seeded { Random(whole(2)? as u64).fraction() } else { random.fraction() };
            let width = end.checked_sub(start).filter(|&width| width > 0);
            let width = width.ok_or("the end is not above the start")?;
            (start + (fraction * width as f64) as i64).into()
        }
        Function::MathAdd => whole(0)?.checked_add(whole(1)?).ok_or("the sum is too large")?.into(),
        Function::StringSplit => {
            let (text, separators) = (text(0)?, text(1)?);
            let parts = text.split(|c| separators.contains(c));
            parts.filter(|part| !part.is_empty()).map(Value::from).collect()
        }
        Function::UUID => {
            let bytes = (u128::from(random.next()) << 64 | u128::from(random.next())).to_be_bytes();
            uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into()
        }
    })
}

/// Whether two values are equal, 1 and 1.0 too.
fn same(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

fn fill(template: &str, values: &[Value]) -> Result<String, String> {
    let mut values = values.iter();
    let mut out = String::with_capacity(template.len());
    let mut chars = template.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => out.push(chars.next().unwrap_or('\\')),
            '{' if chars.peek() == Some(&'}') => {
                chars.next();
                out.push_str(&plain(values.next().ok_or("there are more {} than values")?));
            }
            '{' | '}' => return Err(format!("a lone {c:?} has to be written as \\{c}")),
            c => out.push(c),
        }
    }
    if values.next().is_some() {
        return Err("there are more values than {}".into());
    }
    Ok(out)
}

/// A value as the service prints it: `[1, x]`, `{a=1}`.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name}={}", plain(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the step is zero".into());
    }
    let count = (i128::from(last) - i128::from(first)) / i128::from(step) + 1;
    if count > i128::from(MAX_RANGE) {
        return Err(format!("the range has more than {MAX_RANGE} values"));
    }
    Ok((0..count.max(0) as i64).map(|n| Value::from(first + n * step)).collect())
}

fn hash(value: &Value, algorithm: &str) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if text.chars().count() > MAX_TEXT {
        return Err(format!("the data are longer than {MAX_TEXT} characters"));
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(match algorithm {
        "MD5" => hex(&Md5::digest(text)),
        "SHA-1" => hex(&Sha1::digest(text)),
        "SHA-256" => hex(&Sha256::digest(text)),
        "SHA-384" => hex(&Sha384::digest(text)),
        "SHA-512" => hex(&Sha512::digest(text)),
        other => return Err(format!("there is no algorithm {other:?}")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluate(text: &str) -> Result<Value, Failure> {
        let data = json!({"name": "Ann", "n": 3, "list": [1, 2, 2, "x"], "o": {"a": 1}, "f": 1.5});
        let context = json!({"id": "ctx"});
        let mut random = Random(1);
        let mut scope = Scope { data: &data, context: &context, random: &mut random };
        Expression::parse(text).unwrap().value(&mut scope)
    }

    #[test]
    fn functions_compute() {
        for (text, expected) in [
            (
                r"States.Format('Hi {}, \'{}\' \{\} {}', $.name, $.n, $.o)",
                json!("Hi Ann, '3' {} {a=1}"),
            ),
            ("States.Format('plain')", json!("plain")),
            ("States.StringToJson('{\"a\": [1]}')", json!({"a": [1]})),
            ("States.JsonToString($.o)", json!("{\"a\":1}")),
            ("States.Array()", json!([])),
            ("States.Array(1, 'a', null, true, $.n, $$.id)", json!([1, "a", null, true, 3, "ctx"])),
            ("States.ArrayPartition($.list, 3)", json!([[1, 2, 2], ["x"]])),
            ("States.ArrayContains($.list, 2)", json!(true)),
            ("States.ArrayContains($.list, 'y')", json!(false)),
            ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
            ("States.ArrayRange(5, 1, -2)", json!([5, 3, 1])),
            ("States.ArrayGetItem($.list, 3)", json!("x")),
            ("States.ArrayLength($.list)", json!(4)),
            ("States.ArrayUnique($.list)", json!([1, 2, "x"])),
            ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
            ("States.Base64Decode('RGF0YQ==')", json!("Data")),
            ("States.Hash('abc', 'SHA-1')", json!("a9993e364706816aba3e25717850c26c9cd0d89d")),
            ("States.Hash('abc', 'MD5')", json!("900150983cd24fb0d6963f7d28e17f72")),
            (
                "States.JsonMerge($.o, States.StringToJson('{\"b\":2}'), false)",
                json!({"a": 1, "b": 2}),
            ),
            ("States.MathAdd($.n, -1)", json!(2)),
            ("States.MathRandom(4, 5)", json!(4)),
            ("States.StringSplit('a,b;c', ',;')", json!(["a", "b", "c"])),
            ("States.ArrayLength(States.Array($.list[*]))", json!(1)),
        ] {
            assert_eq!(evaluate(text), Ok(expected), "{text}");
        }
        let id = evaluate("States.UUID()").unwrap();
        assert_eq!(id.as_str().map(str::len), Some(36));
    }

    #[test]
    fn wrong_arguments_are_intrinsic_failures() {
        for text in [
            "States.Format('{} {}', 1)",
            "States.Format('{}', 1, 2)",
            "States.StringToJson('{')",
            "States.ArrayGetItem($.list, 9)",
            "States.ArrayRange(1, 2, 0)",
            "States.ArrayRange(1, 100000, 1)",
            "States.ArrayPartition($.list, 0)",
            "States.ArrayLength($.name)",
            "States.Base64Decode('%')",
            "States.Hash('a', 'CRC')",
            "States.JsonMerge($.o, $.o, true)",
            "States.MathAdd($.name, 1)",
            "States.MathRandom(5, 5)",
        ] {
            assert_eq!(evaluate(text).unwrap_err().error, INTRINSIC, "{text}");
        }
        assert_eq!(evaluate("States.Format('{}', $.none)").unwrap_err().error, PARAMETER_PATH);
    }

    #[test]
    fn what_is_not_a_function_does_not_parse() {
        for text in [
            "name",
            "States.Nope()",
            "States.UUID(1)",
            "States.Format('a",
            "States.Array(1 2)",
            "States.Array(1) x",
            "'text'",
            "States.Array(",
            "States.MathAdd(1)",
            "States.Array(a)",
        ] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }
}
