//! The data flow of a state: paths, results and the limit of payloads.

use serde_json::{Value, json};

use crate::definition::{IntegerField, ResultPath, StringField};
use crate::expression::Scope;
use crate::failure::{DATA_LIMIT, Failure, PARAMETER_PATH, RUNTIME};
use crate::path::Path;

/// Largest payload between states, in bytes of JSON.
pub const MAX_PAYLOAD: usize = 256 * 1024;

/// The value at an `InputPath`, `OutputPath` or `ItemsPath`; `{}` for `None`.
pub(super) fn select(path: Option<&Path>, data: &Value, context: &Value) -> Result<Value, Failure> {
    let Some(path) = path else { return Ok(json!({})) };
    path.find(data, context).ok_or_else(|| {
        Failure::runtime(format!(
            "Invalid path '{}': it found nothing in the input.",
            path.as_str()
        ))
    })
}

/// The state's input with the result at its `ResultPath`.
pub(super) fn put_result(
    path: &ResultPath,
    input: &Value,
    result: Value,
) -> Result<Value, Failure> {
    let Some(path) = &path.0 else { return Ok(input.clone()) };
    if path.is_root() {
        return Ok(result);
    }
    let mut output = input.clone();
    path.put(&mut output, result)?;
    Ok(output)
}

pub(super) fn integer(field: &IntegerField, data: &Value, context: &Value) -> Result<u64, Failure> {
    match field {
        IntegerField::Literal(number) => Ok(*number),
        IntegerField::Path(path) => {
            let value = select(Some(path), data, context)?;
            value.as_u64().ok_or_else(|| {
                Failure::runtime(format!("{} is {value}, not a whole number.", path.as_str()))
            })
        }
    }
}

pub(super) fn string(field: &StringField, scope: &mut Scope<'_>) -> Result<String, Failure> {
    match field {
        StringField::Literal(text) => Ok(text.clone()),
        StringField::Computed(expression) => {
            let value = expression.evaluate(scope).map_err(|failure| {
                // Outside of payload templates, the service reports a missing value so.
                let is_path = failure.error == PARAMETER_PATH;
                if is_path { Failure { error: RUNTIME.to_owned(), ..failure } } else { failure }
            })?;
            let text = value.as_str().map(str::to_owned);
            text.ok_or_else(|| Failure::runtime(format!("{value} is not a string.")))
        }
    }
}

/// Checks a payload against [`MAX_PAYLOAD`].
pub(super) fn check_size(payload: &Value) -> Result<(), Failure> {
    serde_json::to_writer(SizeLimit { written: 0 }, payload).map_err(|_| {
        Failure::new(DATA_LIMIT, format!("A payload is larger than {MAX_PAYLOAD} bytes."))
    })
}

/// Counts bytes and fails beyond [`MAX_PAYLOAD`], so that a huge payload costs little.
struct SizeLimit {
    written: usize,
}

impl std::io::Write for SizeLimit {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.written += bytes.len();
        if self.written > MAX_PAYLOAD {
            Err(std::io::ErrorKind::FileTooLarge.into())
        } else {
            Ok(bytes.len())
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
