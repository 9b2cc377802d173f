//! Typed access to the arguments of an intrinsic function.

use serde_json::Value;

/// Most characters of a text for the base64 and hash functions.
pub(super) const MAX_TEXT: usize = 10_000;

/// The arguments of a call, by index from 0. Errors count from 1.
#[derive(Clone, Copy)]
pub(super) struct Arguments<'a>(pub &'a [Value]);

impl<'a> Arguments<'a> {
    pub(super) fn value(self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Null)
    }

    pub(super) fn string(self, index: usize) -> Result<&'a str, String> {
        let text = self.value(index).as_str();
        text.ok_or_else(|| format!("argument {} is not a string", index + 1))
    }

    /// A string of at most [`MAX_TEXT`] characters.
    pub(super) fn short_string(self, index: usize) -> Result<&'a str, String> {
        let text = self.string(index)?;
        if text.chars().count() > MAX_TEXT {
            return Err(format!("the text is longer than {MAX_TEXT} characters"));
        }
        Ok(text)
    }

    pub(super) fn array(self, index: usize) -> Result<&'a [Value], String> {
        let array = self.value(index).as_array();
        array.map(Vec::as_slice).ok_or_else(|| format!("argument {} is not an array", index + 1))
    }

    /// A number, rounded to the nearest integer.
    pub(super) fn integer(self, index: usize) -> Result<i64, String> {
        let value = self.value(index);
        let number = value.as_i64().or_else(|| value.as_f64().map(|number| number.round() as i64));
        number.ok_or_else(|| format!("argument {} is not a number", index + 1))
    }
}
