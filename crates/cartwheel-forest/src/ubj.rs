//! Universal Binary JSON, draft 12, as far as XGBoost writes it.

use serde_json::{Map, Number, Value};

use crate::model::ModelError;

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 64;

struct Reader<'a> {
    bytes: &'a [u8],
    /// Values that may still be made: typed arrays cannot outgrow their bytes,
    /// except those of `T`, `F` and `Z`, which have none.
    budget: usize,
}

/// Reads one value that fills `bytes`.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, ModelError> {
    let mut reader = Reader { bytes, budget: bytes.len() };
    let marker = reader.marker()?;
    reader.value(marker, 0)
}

fn damaged(what: &str) -> ModelError {
    ModelError::Format(format!("UBJ: {what}"))
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ModelError> {
        let split = self.bytes.split_first_chunk::<N>();
        let (head, tail) = split.ok_or_else(|| damaged("ends early"))?;
        self.bytes = tail;
        Ok(*head)
    }

    /// The next marker, no-ops left out.
    fn marker(&mut self) -> Result<u8, ModelError> {
        loop {
            let [marker] = self.take()?;
            if marker != b'N' {
                return Ok(marker);
            }
        }
    }

    fn integer(&mut self, marker: u8) -> Result<i64, ModelError> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.take()?)),
            b'U' => i64::from(u8::from_be_bytes(self.take()?)),
            b'I' => i64::from(i16::from_be_bytes(self.take()?)),
            b'l' => i64::from(i32::from_be_bytes(self.take()?)),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Err(damaged("a length is not an integer")),
        })
    }

    fn length(&mut self) -> Result<usize, ModelError> {
        let marker = self.marker()?;
        let length = self.integer(marker)?;
        usize::try_from(length).map_err(|_| damaged("a length is negative"))
    }

    fn string(&mut self) -> Result<String, ModelError> {
        let length = self.length()?;
        let split = self.bytes.split_at_checked(length);
        let (head, tail) = split.ok_or_else(|| damaged("a string ends early"))?;
        self.bytes = tail;
        String::from_utf8(head.to_vec()).map_err(|_| damaged("a string is not UTF-8"))
    }

    fn spend(&mut self) -> Result<(), ModelError> {
        self.budget = self.budget.checked_sub(1).ok_or_else(|| damaged("too many values"))?;
        Ok(())
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Value, ModelError> {
        self.spend()?;
        if depth > MAX_DEPTH {
            return Err(damaged("nested too deeply"));
        }
        let float = |x: f64| Number::from_f64(x).map_or(Value::Null, Value::Number);
        Ok(match marker {
            b'Z' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'i' | b'U' | b'I' | b'l' | b'L' => self.integer(marker)?.into(),
            // Through the shortest text, as JSON models hold it.
            b'd' => float(f64::from(f32::from_be_bytes(self.take()?))),
            b'D' => float(f64::from_be_bytes(self.take()?)),
            b'C' => Value::String(char::from(self.take::<1>()?[0]).to_string()),
            b'S' | b'H' => Value::String(self.string()?),
            b'[' => self.array(depth)?,
            b'{' => self.object(depth)?,
            _ => return Err(damaged("an unknown marker")),
        })
    }

    /// The optional type and count in front of a container.
    fn header(&mut self) -> Result<(Option<u8>, Option<usize>), ModelError> {
        let mut kind = None;
        if self.bytes.first() == Some(&b'$') {
            let [_, marker] = self.take()?;
            kind = Some(marker);
        }
        if self.bytes.first() == Some(&b'#') {
            let [_] = self.take()?;
            return Ok((kind, Some(self.length()?)));
        }
        if kind.is_some() { Err(damaged("a type without a count")) } else { Ok((None, None)) }
    }

    fn array(&mut self, depth: usize) -> Result<Value, ModelError> {
        let (kind, count) = self.header()?;
        let mut out = Vec::new();
        if let Some(count) = count {
            for _ in 0..count {
                let marker = kind.map_or_else(|| self.marker(), Ok)?;
                out.push(self.value(marker, depth + 1)?);
            }
            return Ok(Value::Array(out));
        }
        loop {
            match self.marker()? {
                b']' => return Ok(Value::Array(out)),
                marker => out.push(self.value(marker, depth + 1)?),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, ModelError> {
        let (kind, count) = self.header()?;
        let mut out = Map::new();
        let mut left = count;
        loop {
            if left == Some(0) {
                return Ok(Value::Object(out));
            }
            left = left.map(|n| n - 1);
            while self.bytes.first() == Some(&b'N') {
                let [_] = self.take()?;
            }
            if count.is_none() && self.bytes.first() == Some(&b'}') {
                let [_] = self.take()?;
                return Ok(Value::Object(out));
            }
            let key = self.string()?;
            let marker = kind.map_or_else(|| self.marker(), Ok)?;
            let value = self.value(marker, depth + 1)?;
            out.insert(key, value);
        }
    }
}
