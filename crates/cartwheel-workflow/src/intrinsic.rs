//! Intrinsic functions of the States Language, such as `States.MathAdd`.

mod arguments;
mod format;

use std::ops::RangeInclusive;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use md5::{Digest, Md5};
use serde_json::Value;
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};

use crate::random::Random;
use arguments::{Arguments, MAX_TEXT};

/// Most values of `States.ArrayRange`.
const MAX_RANGE: i64 = 1000;

macro_rules! functions {
    ($($name:ident $min:literal $max:literal),* $(,)?) => {
        /// An intrinsic function.
        #[expect(clippy::upper_case_acronyms, reason = "names as in the States Language")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Function { $($name),* }

        impl Function {
            /// Finds a function by its name without the prefix `States.`.
            pub(crate) fn named(name: &str) -> Option<Self> {
                match name { $(stringify!($name) => Some(Self::$name),)* _ => None }
            }

            /// The name with the prefix `States.`.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => concat!("States.", stringify!($name))),* }
            }

            /// The number of arguments.
            pub(crate) fn arity(self) -> RangeInclusive<usize> {
                match self { $(Self::$name => $min..=$max),* }
            }
        }
    };
}

// Each function with the fewest and the most arguments that it takes.
functions! {
    Format 1 1000, StringToJson 1 1, JsonToString 1 1, Array 0 1000, ArrayPartition 2 2,
    ArrayContains 2 2, ArrayRange 3 3, ArrayGetItem 2 2, ArrayLength 1 1, ArrayUnique 1 1,
    Base64Encode 1 1, Base64Decode 1 1, Hash 2 2, JsonMerge 3 3, MathRandom 2 3, MathAdd 2 2,
    StringSplit 2 2, UUID 0 0,
}

impl Function {
    /// Calls the function. `random` feeds `States.UUID` and an unseeded `States.MathRandom`.
    ///
    /// # Errors
    /// A description of the wrong argument.
    pub(crate) fn call(self, arguments: &[Value], random: &mut Random) -> Result<Value, String> {
        let args = Arguments(arguments);
        Ok(match self {
            Self::Format => format::format(args.string(0)?, &arguments[1..])?.into(),
            Self::StringToJson => serde_json::from_str(args.string(0)?)
                .map_err(|error| format!("the text is not JSON: {error}"))?,
            Self::JsonToString => args.value(0).to_string().into(),
            Self::Array => Value::Array(arguments.to_vec()),
            Self::ArrayPartition => {
                let size = usize::try_from(args.integer(1)?).ok().filter(|&size| size > 0);
                let size = size.ok_or("the chunk size is not positive")?;
                args.array(0)?.chunks(size).map(|chunk| Value::Array(chunk.to_vec())).collect()
            }
            Self::ArrayContains => {
                args.array(0)?.iter().any(|item| is_equal(item, args.value(1))).into()
            }
            Self::ArrayRange => range(args.integer(0)?, args.integer(1)?, args.integer(2)?)?,
            Self::ArrayGetItem => {
                let index = usize::try_from(args.integer(1)?).ok();
                let array = args.array(0)?;
                let item = index.and_then(|index| array.get(index));
                item.cloned().ok_or("the index is outside the array")?
            }
            Self::ArrayLength => args.array(0)?.len().into(),
            Self::ArrayUnique => unique(args.array(0)?),
            Self::Base64Encode => BASE64.encode(args.short_string(0)?).into(),
            Self::Base64Decode => {
                let bytes = BASE64.decode(args.short_string(0)?);
                let bytes = bytes.map_err(|error| format!("the text is not base64: {error}"))?;
                String::from_utf8(bytes).map_err(|_| "the bytes are not UTF-8".to_owned())?.into()
            }
            Self::Hash => hash(args.value(0), args.string(1)?)?.into(),
            Self::JsonMerge => merge(args.value(0), args.value(1), args.value(2))?,
            Self::MathRandom => {
                let (start, end) = (args.integer(0)?, args.integer(1)?);
                let fraction = match arguments.len() {
                    2 => random.fraction(),
                    _ => Random::new(args.integer(2)? as u64).fraction(),
                };
                let width = end.checked_sub(start).filter(|&width| width > 0);
                let width = width.ok_or("the end is not greater than the start")?;
                (start + (fraction * width as f64) as i64).into()
            }
            Self::MathAdd => {
                let sum = args.integer(0)?.checked_add(args.integer(1)?);
                sum.ok_or("the sum is too large")?.into()
            }
            Self::StringSplit => {
                let (text, separators) = (args.string(0)?, args.string(1)?);
                let parts = text.split(|c| separators.contains(c));
                parts.filter(|part| !part.is_empty()).map(Value::from).collect()
            }
            Self::UUID => {
                let bits = u128::from(random.next()) << 64 | u128::from(random.next());
                let builder = uuid::Builder::from_random_bytes(bits.to_be_bytes());
                builder.into_uuid().to_string().into()
            }
        })
    }
}

/// Whether two values are equal. Numbers compare by value: 1 equals 1.0.
fn is_equal(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && b.is_number() && a.as_f64() == b.as_f64())
}

fn unique(array: &[Value]) -> Value {
    let mut unique: Vec<Value> = Vec::new();
    for item in array {
        if !unique.iter().any(|seen| is_equal(seen, item)) {
            unique.push(item.clone());
        }
    }
    Value::Array(unique)
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

fn merge(first: &Value, second: &Value, deep: &Value) -> Result<Value, String> {
    if deep != &Value::Bool(false) {
        return Err("only shallow merges are supported: the third argument must be false".into());
    }
    let (Value::Object(first), Value::Object(second)) = (first, second) else {
        return Err("only objects can be merged".into());
    };
    let mut merged = first.clone();
    merged.extend(second.clone());
    Ok(Value::Object(merged))
}

fn hash(value: &Value, algorithm: &str) -> Result<String, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    if text.chars().count() > MAX_TEXT {
        return Err(format!("the data are longer than {MAX_TEXT} characters"));
    }
    Ok(match algorithm {
        "MD5" => hex::encode(Md5::digest(text)),
        "SHA-1" => hex::encode(Sha1::digest(text)),
        "SHA-256" => hex::encode(Sha256::digest(text)),
        "SHA-384" => hex::encode(Sha384::digest(text)),
        "SHA-512" => hex::encode(Sha512::digest(text)),
        other => return Err(format!("there is no algorithm {other:?}")),
    })
}
