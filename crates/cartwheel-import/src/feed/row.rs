//! A row of a feed: texts by the names of their columns.

/// Texts by column, in the order of the source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FeedRow(Vec<(String, String)>);

impl FeedRow {
    /// Adds a text, unless it is empty. Of repeated columns the first text counts.
    pub(super) fn add(&mut self, column: String, text: String) {
        if !text.is_empty() {
            self.0.push((column, text));
        }
    }

    /// The text of a column.
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == column).map(|(_, text)| text.as_str())
    }

    /// The names of the columns that have texts.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// The columns that have texts, with the texts.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter().map(|(name, text)| (name, text))
    }

    /// The row as one line, for messages.
    pub(super) fn text(&self) -> String {
        let cells = self.0.iter().map(|(name, text)| format!("{name}={text}"));
        cells.collect::<Vec<_>>().join(", ")
    }
}
