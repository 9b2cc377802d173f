//! Errors with their position.

use std::fmt;
use std::ops::Range;

/// Characters of the text that an excerpt shows on each side of a problem.
const AROUND: usize = 40;

/// A problem at a place of a text, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Range<usize>,
    /// A sentence without its full stop.
    pub(crate) problem: String,
    pub(crate) expected: String,
    pub(crate) suggestion: Option<String>,
}

impl Fault {
    pub(crate) fn new(
        at: Range<usize>,
        problem: impl Into<String>,
        expected: impl Into<String>,
    ) -> Self {
        Self { at, problem: problem.into(), expected: expected.into(), suggestion: None }
    }

    pub(crate) fn suggesting(self, suggestion: Option<impl Into<String>>) -> Self {
        Self { suggestion: suggestion.map(Into::into), ..self }
    }

    /// The error for the whole text.
    pub(crate) fn within(self, text: &str) -> FilterError {
        let chars = |end: usize| text.get(..end).unwrap_or(text).chars().count();
        let (start, end) = (chars(self.at.start), chars(self.at.end));
        let shown = start.saturating_sub(AROUND);
        let line = text.chars().skip(shown).take(end.min(start + AROUND) + AROUND - shown);
        // One line, whatever the text contains.
        let line: String = line.map(|c| if c.is_control() { ' ' } else { c }).collect();
        let width = end.min(start + AROUND).saturating_sub(start).max(1);
        Box::new(Parts {
            position: start + 1,
            problem: self.problem,
            expected: self.expected,
            suggestion: self.suggestion,
            excerpt: format!("{line}\n{}{}", " ".repeat(start - shown), "^".repeat(width)),
        })
        .into()
    }
}

/// Why a text is no expression. Its display is a sentence with the position and the name that
/// was probably meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterError(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    position: usize,
    problem: String,
    expected: String,
    suggestion: Option<String>,
    excerpt: String,
}

impl From<Box<Parts>> for FilterError {
    fn from(parts: Box<Parts>) -> Self {
        Self(parts)
    }
}

impl FilterError {
    /// The character where the problem begins, from 1.
    pub fn position(&self) -> usize {
        self.0.position
    }

    /// What would have been accepted there.
    pub fn expected(&self) -> &str {
        &self.0.expected
    }

    /// What was probably meant.
    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    /// The text around the problem, and a second line with carets under it.
    pub fn excerpt(&self) -> &str {
        &self.0.excerpt
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { position, problem, suggestion, .. } = &*self.0;
        write!(f, "At character {position}, {problem}.")?;
        match suggestion {
            Some(suggestion) => write!(f, " Did you mean {suggestion}?"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for FilterError {}
