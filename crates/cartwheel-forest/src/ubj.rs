//! Universal Binary JSON, draft 12, as a serde deserializer over a slice.
//!
//! Every value starts with a one-byte marker; numbers are big-endian. An array may declare
//! the type of its elements (`$`) and their count (`#`), which is how XGBoost writes the
//! arrays of a tree. A declared count is trusted only as far as the remaining bytes can
//! hold that many elements.

use serde::de::{self, Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::ModelError;

/// The deepest nesting accepted; a model needs eight levels.
const MAX_NESTING: u32 = 64;

/// Reads a document in UBJ.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, ModelError> {
    let mut reader = Reader { rest: bytes, length: bytes.len(), depth: 0 };
    let document = T::deserialize(Value { reader: &mut reader, marker: None })
        .map_err(|e: Fault| ModelError::Ubj(format!("{e}, near byte {}", reader.position())))?;
    if reader.rest.is_empty() {
        Ok(document)
    } else {
        Err(ModelError::Ubj(format!("{} bytes follow the model", reader.rest.len())))
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("the file ends too early")]
    End,
    #[error("unknown marker 0x{0:02x}")]
    Marker(u8),
    #[error("a negative length")]
    Negative,
    #[error("a length greater than the file")]
    Length,
    #[error("nested too deeply")]
    Depth,
    #[error("text that is not UTF-8")]
    Text,
    #[error("{0}")]
    Schema(String),
}

impl de::Error for Fault {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self::Schema(message.to_string())
    }
}

struct Reader<'de> {
    rest: &'de [u8],
    length: usize,
    depth: u32,
}

impl<'de> Reader<'de> {
    fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    fn take(&mut self, count: usize) -> Result<&'de [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::End)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Fault::End)?;
        self.rest = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Returns the next marker that is not a no-op, without consuming it.
    fn peek(&mut self) -> Result<u8, Fault> {
        loop {
            match self.rest {
                [b'N', rest @ ..] => self.rest = rest,
                [marker, ..] => return Ok(*marker),
                [] => return Err(Fault::End),
            }
        }
    }

    /// Consumes the next byte if it is `expected`.
    fn consume(&mut self, expected: u8) -> bool {
        match self.rest {
            [first, rest @ ..] if *first == expected => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    fn integer(&mut self, marker: u8) -> Result<i64, Fault> {
        Ok(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.array()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.array()?)),
            b'L' => i64::from_be_bytes(self.array()?),
            other => return Err(Fault::Marker(other)),
        })
    }

    /// Reads a length. It is at most the file's own, so no count can exceed it.
    fn length(&mut self) -> Result<usize, Fault> {
        let marker = self.byte()?;
        let length = usize::try_from(self.integer(marker)?).map_err(|_| Fault::Negative)?;
        if length > self.length { Err(Fault::Length) } else { Ok(length) }
    }

    fn text(&mut self) -> Result<&'de str, Fault> {
        let length = self.length()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| Fault::Text)
    }

    /// Reads the optional type and count between `[` or `{` and the first element.
    fn container(&mut self) -> Result<Container, Fault> {
        let element = if self.consume(b'$') {
            let element = self.byte()?;
            // Types without bytes of their own would let a small file declare a huge
            // number of elements.
            if !b"iUIlLdDCS[{".contains(&element) {
                return Err(Fault::Marker(element));
            }
            Some(element)
        } else {
            None
        };
        let count = if self.consume(b'#') { Some(self.length()?) } else { None };
        if element.is_some() && count.is_none() {
            return Err(Fault::Schema("a typed container without a count".to_owned()));
        }
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(Fault::Depth);
        }
        Ok(Container { element, left: count })
    }
}

struct Container {
    element: Option<u8>,
    /// Number of elements left; without a count, a closing marker ends the container.
    left: Option<usize>,
}

impl Container {
    /// Whether another element follows; consumes the closing marker if there is one.
    fn more(&mut self, reader: &mut Reader<'_>, close: u8) -> Result<bool, Fault> {
        let more = match &mut self.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => {
                let closed = reader.peek()? == close;
                if closed {
                    reader.byte()?;
                }
                !closed
            }
        };
        if !more {
            reader.depth -= 1;
        }
        Ok(more)
    }
}

struct Value<'a, 'de> {
    reader: &'a mut Reader<'de>,
    /// The type, if the container declares one.
    marker: Option<u8>,
}

impl<'de> de::Deserializer<'de> for Value<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let Self { reader, marker } = self;
        let marker = match marker {
            Some(marker) => marker,
            None => {
                reader.peek()?;
                reader.byte()?
            }
        };
        match marker {
            b'Z' => visitor.visit_unit(),
            b'T' => visitor.visit_bool(true),
            b'F' => visitor.visit_bool(false),
            b'i' | b'U' | b'I' | b'l' | b'L' => visitor.visit_i64(reader.integer(marker)?),
            b'd' => visitor.visit_f32(f32::from_be_bytes(reader.array()?)),
            b'D' => visitor.visit_f64(f64::from_be_bytes(reader.array()?)),
            b'C' => visitor.visit_char(char::from(reader.byte()?)),
            b'S' => visitor.visit_borrowed_str(reader.text()?),
            b'[' => {
                let container = reader.container()?;
                visitor.visit_seq(Elements { reader, container })
            }
            b'{' => {
                let container = reader.container()?;
                visitor.visit_map(Elements { reader, container })
            }
            other => Err(Fault::Marker(other)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.marker.is_none() && self.reader.peek()? == b'Z' {
            self.reader.byte()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct newtype_struct seq tuple tuple_struct
        map struct enum identifier ignored_any
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    container: Container,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        if !self.container.more(self.reader, b']')? {
            return Ok(None);
        }
        seed.deserialize(Value { reader: self.reader, marker: self.container.element }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        self.container.left.map(|left| left.min(self.reader.rest.len()))
    }
}

impl<'de> MapAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        if !self.container.more(self.reader, b'}')? {
            return Ok(None);
        }
        // A key is a string without its marker.
        seed.deserialize(Value { reader: self.reader, marker: Some(b'S') }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        seed.deserialize(Value { reader: self.reader, marker: self.container.element })
    }
}
