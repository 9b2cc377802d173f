//! The Prometheus text format, for values that are read at the moment of a scrape.
//!
//! A recorder would keep the labels of earlier values, such as those of the last release.

use std::fmt::Write as _;

/// What a family of samples is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A value that goes up and down.
    Gauge,
    /// A count since the start. Its name ends in `_total`.
    Counter,
}

/// Samples as text, by family.
#[derive(Debug, Default)]
pub(crate) struct Exposition(String);

impl Exposition {
    /// Begins a family; its samples follow. `help` is one line, and says the unit.
    pub(crate) fn family<'a>(
        &'a mut self,
        name: &'static str,
        kind: Kind,
        help: &str,
    ) -> Samples<'a> {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Samples { text: &mut self.0, name }
    }

    /// A gauge without labels; without a value, only its description.
    pub(crate) fn gauge(&mut self, name: &'static str, help: &str, value: Option<f64>) {
        let mut samples = self.family(name, Kind::Gauge, help);
        if let Some(value) = value {
            samples.add(&[], value);
        }
    }

    /// A counter without labels.
    pub(crate) fn counter(&mut self, name: &'static str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help).add(&[], value as f64);
    }

    /// The text.
    pub(crate) fn into_text(self) -> String {
        self.0
    }
}

/// The samples of a family.
pub(crate) struct Samples<'a> {
    text: &'a mut String,
    name: &'static str,
}

impl Samples<'_> {
    /// Adds a sample with its labels.
    pub(crate) fn add(&mut self, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(self.name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let before = if at == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{label}=\"{}\"", escaped(text));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{after} {value}");
    }
}

/// A label's value with the format's three escapes.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_text_with_help_type_and_escapes() {
        let mut shown = Exposition::default();
        shown.gauge("a", "A gauge.", Some(1.5));
        shown.gauge("nothing", "No value yet.", None);
        shown.counter("b_total", "A counter.", 3);
        let mut samples = shown.family("c", Kind::Gauge, "By label.");
        samples.add(&[("x", "a \"b\"\\\n"), ("y", "")], 0.0);
        let expected = [
            "# HELP a A gauge.",
            "# TYPE a gauge",
            "a 1.5",
            "# HELP nothing No value yet.",
            "# TYPE nothing gauge",
            "# HELP b_total A counter.",
            "# TYPE b_total counter",
            "b_total 3",
            "# HELP c By label.",
            "# TYPE c gauge",
            r#"c{x="a \"b\"\\\n",y=""} 0"#,
            "",
        ];
        assert_eq!(shown.into_text(), expected.join("\n"));
    }
}
