//! The series of `/metrics` as metrics of OTLP, in its mapping to JSON.
//!
//! They are read from the text that a scrape gets: a series has one name, one help and one place where it
//! is counted. Metrics keep their names, from which collectors that write the Prometheus format make the
//! same names again.

use serde_json::{Value, json};

/// Counts since the start, as OTLP numbers its temporalities.
const CUMULATIVE: u32 = 2;

/// A line with a value.
#[derive(Debug, PartialEq)]
struct Sample<'a> {
    name: &'a str,
    labels: Vec<(&'a str, String)>,
    value: f64,
}

/// Reads metrics from the Prometheus text format. `start_ms` is the time at which counts began, `now_ms`
/// that of the text; both are UTC milliseconds. Families without a sample are left out.
pub(crate) fn metrics(text: &str, start_ms: i64, now_ms: i64) -> Vec<Value> {
    let mut found = Vec::new();
    let mut help = ("", "");
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|l| l.split_once(' ')) {
            help = (name, text);
        }
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|l| l.split_once(' '))
        else {
            continue;
        };
        let mut samples = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with('#')) {
            samples.extend(sample(line).filter(|sample| sample.name.starts_with(name)));
        }
        if samples.is_empty() {
            continue;
        }
        let points = Points { start_ns: nanoseconds(start_ms), now_ns: nanoseconds(now_ms) };
        let description = if help.0 == name { help.1 } else { "" };
        let mut metric = json!({"name": name, "description": description});
        match kind {
            "histogram" => {
                let points = points.histograms(samples);
                metric["histogram"] =
                    json!({"dataPoints": points, "aggregationTemporality": CUMULATIVE});
            }
            "counter" => {
                metric["sum"] = json!({"dataPoints": points.numbers(samples),
                    "aggregationTemporality": CUMULATIVE, "isMonotonic": true});
            }
            _ => metric["gauge"] = json!({"dataPoints": points.numbers(samples)}),
        }
        found.push(metric);
    }
    found
}

/// Makes data points of one moment.
struct Points {
    start_ns: String,
    now_ns: String,
}

impl Points {
    /// A data point with those labels as attributes.
    fn point(&self, labels: &[(&str, String)]) -> Value {
        let attribute =
            |(name, text): &(&str, String)| json!({"key": name, "value": {"stringValue": text}});
        let attributes: Vec<Value> = labels.iter().map(attribute).collect();
        json!({"attributes": attributes, "startTimeUnixNano": self.start_ns, "timeUnixNano": self.now_ns})
    }

    fn numbers(&self, samples: Vec<Sample<'_>>) -> Vec<Value> {
        // JSON has no other numbers.
        let finite = samples.into_iter().filter(|sample| sample.value.is_finite());
        finite
            .map(|sample| {
                let mut point = self.point(&sample.labels);
                point["asDouble"] = sample.value.into();
                point
            })
            .collect()
    }

    /// Buckets of OTLP: each counts what lies between two bounds, where Prometheus counts all below one.
    fn histograms(&self, samples: Vec<Sample<'_>>) -> Vec<Value> {
        let mut found: Vec<(Vec<(&str, String)>, Histogram)> = Vec::new();
        for mut sample in samples {
            let bound = sample.labels.iter().position(|(label, _)| *label == "le");
            let bound = bound.map(|at| sample.labels.remove(at).1);
            let at = found.iter().position(|(labels, _)| *labels == sample.labels);
            let at = at.unwrap_or_else(|| {
                found.push((sample.labels, Histogram::default()));
                found.len() - 1
            });
            let histogram = &mut found[at].1;
            match bound {
                Some(bound) => histogram.bucket(&bound, sample.value),
                None if sample.name.ends_with("_sum") => histogram.sum = sample.value,
                None => histogram.count = sample.value,
            }
        }
        let point = |(labels, histogram): (Vec<(&str, String)>, Histogram)| {
            let mut point = self.point(&labels);
            point["count"] = whole(histogram.count);
            point["sum"] = histogram.sum.into();
            point["explicitBounds"] = histogram.bounds.into();
            point["bucketCounts"] = histogram.counts.into_iter().map(whole).collect();
            point
        };
        found.into_iter().map(point).collect()
    }
}

#[derive(Default)]
struct Histogram {
    bounds: Vec<f64>,
    counts: Vec<f64>,
    below: f64,
    sum: f64,
    count: f64,
}

impl Histogram {
    /// Adds the next bucket, below which `count` values lie. The last one has no bound.
    fn bucket(&mut self, bound: &str, count: f64) {
        self.bounds.extend(bound.parse::<f64>().ok().filter(|bound| bound.is_finite()));
        self.counts.push(count - self.below);
        self.below = count;
    }
}

/// A count, which JSON holds as text.
fn whole(count: f64) -> Value {
    format!("{count:.0}").into()
}

fn nanoseconds(ms: i64) -> String {
    ms.saturating_mul(1_000_000).to_string()
}

/// Reads a line with a value.
fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.trim_start_matches(',').split_once("=\"")?;
            let (text, after) = quoted(after)?;
            labels.push((label, text));
            rest = after;
        }
        rest = &rest[1..];
    }
    Some(Sample { name, labels, value: rest.trim().parse().ok()? })
}

/// The text up to the next quote, without its escapes, and what follows the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut letters = text.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((found, &text[at + 1..])),
            (_, '\\') => found.push(match letters.next()?.1 {
                'n' => '\n',
                letter => letter,
            }),
            (_, letter) => found.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::exposition::{Exposition, Kind};

    #[test]
    fn gauges_and_counters_keep_names_help_and_labels() {
        let mut shown = Exposition::default();
        shown.gauge("a", "A gauge, in m.", Some(1.5));
        shown.gauge("nothing", "No value yet.", None);
        shown.counter("b_total", "A counter.", 3);
        let mut samples = shown.family("c", Kind::Gauge, "By label.");
        samples.add(&[("x", "a \"b\"\\\n,}"), ("y", "")], 0.0);
        samples.add(&[("x", "infinite")], f64::INFINITY);
        let text = shown.into_text() + "\n";
        let point = |attributes: Value, value: f64| {
            json!({"attributes": attributes, "startTimeUnixNano": "1000000", "timeUnixNano": "2000000",
                   "asDouble": value})
        };
        let labels = json!([{"key": "x", "value": {"stringValue": "a \"b\"\\\n,}"}},
                            {"key": "y", "value": {"stringValue": ""}}]);
        let expected = [
            json!({"name": "a", "description": "A gauge, in m.",
                   "gauge": {"dataPoints": [point(json!([]), 1.5)]}}),
            json!({"name": "b_total", "description": "A counter.", "sum": {
                   "dataPoints": [point(json!([]), 3.0)], "aggregationTemporality": 2,
                   "isMonotonic": true}}),
            json!({"name": "c", "description": "By label.",
                   "gauge": {"dataPoints": [point(labels, 0.0)]}}),
        ];
        assert_eq!(metrics(&text, 1, 2), expected);
    }

    #[test]
    fn buckets_count_what_lies_between_their_bounds() {
        let text = "# HELP t Time.\n# TYPE t histogram\n\
            t_bucket{route=\"/a\",le=\"0.5\"} 1\nt_bucket{route=\"/a\",le=\"1\"} 4\n\
            t_bucket{route=\"/a\",le=\"+Inf\"} 6\nt_sum{route=\"/a\"} 9.25\nt_count{route=\"/a\"} 6\n\
            t_bucket{route=\"/b\",le=\"0.5\"} 0\nt_bucket{route=\"/b\",le=\"1\"} 0\n\
            t_bucket{route=\"/b\",le=\"+Inf\"} 0\nt_sum{route=\"/b\"} 0\nt_count{route=\"/b\"} 0\n";
        let found = metrics(text, 1, 2);
        assert_eq!(found.len(), 1);
        let points = found[0]["histogram"]["dataPoints"].as_array().unwrap();
        assert_eq!(points.len(), 2);
        let first = &points[0];
        assert_eq!(first["attributes"], json!([{"key": "route", "value": {"stringValue": "/a"}}]));
        assert_eq!(first["explicitBounds"], json!([0.5, 1.0]));
        assert_eq!(first["bucketCounts"], json!(["1", "3", "2"]));
        assert_eq!((&first["count"], &first["sum"]), (&json!("6"), &json!(9.25)));
        assert_eq!(points[1]["bucketCounts"], json!(["0", "0", "0"]));
    }

    #[test]
    fn lines_that_are_no_samples_are_left_out() {
        for line in ["", "a", "a{", "a{x=\"1\"", "a{x} 1", "a{x=\"\\", "a one", "a{x=\"1\"} "] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
