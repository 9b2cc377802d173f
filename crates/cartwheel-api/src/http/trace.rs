//! The trace to which a request belongs.

use axum::http::{HeaderMap, HeaderName, HeaderValue};

/// The header of W3C Trace Context, in requests and answers.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A valid `traceparent` of a request: `00-`, the trace's id, the caller's span and flags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace(HeaderValue);

impl Trace {
    /// The trace of a request. As the standard asks, a value that is not valid counts as none. Of
    /// later versions, the parts that version 00 has are read.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = headers.get(TRACEPARENT)?;
        let mut parts = value.to_str().ok()?.splitn(5, '-');
        let mut hex = |length: usize| {
            let part = parts.next()?;
            let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            (part.len() == length && part.bytes().all(is_hex)).then_some(part)
        };
        let (version, trace, span, _) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let is_zero = |id: &str| id.bytes().all(|b| b == b'0');
        let has_more = parts.next().is_some();
        let valid = version != "ff" && !is_zero(trace) && !is_zero(span);
        (valid && !(version == "00" && has_more)).then(|| Self(value.clone()))
    }

    /// The whole header.
    pub(crate) fn text(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }

    /// The trace's id, 32 hexadecimal digits.
    pub(crate) fn id(&self) -> &str {
        self.text().get(3..35).unwrap_or_default()
    }

    /// The header of the answer.
    pub(crate) fn into_header(self) -> (HeaderName, HeaderValue) {
        (TRACEPARENT, self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &'static str) -> Option<String> {
        let headers = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_static(value))]);
        Trace::of(&headers).map(|trace| trace.id().to_owned())
    }

    #[test]
    fn only_valid_traces_are_read() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        let found = Some(id.to_owned());
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), found);
        assert_eq!(read("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"), found);
        for wrong in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
