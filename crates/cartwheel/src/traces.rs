//! The spans of requests as traces of OTLP.
//!
//! A span `request` begins a trace or continues the client's; it is the context, and is not exported
//! itself. Spans below it are: `answer`, and in it `store`, `rank` and `deliver`.

use std::sync::mpsc::SyncSender;
use std::time::Instant;

use cartwheel_ambient::{Ids, system_ms};
use serde_json::{Value, json};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::otlp::Message;
use crate::show::instant;

/// The trace to which the spans below a request belong.
struct Trace {
    id: String,
    /// The client's span.
    parent: Option<String>,
}

/// A span that is to be exported.
struct Open {
    trace: String,
    id: String,
    parent: Option<String>,
    begin_ns: u64,
    /// The end of the last work in it: a span that outlives its work, because another one below it
    /// does, has ended then.
    end_ns: Option<u64>,
    fields: Fields,
}

/// Fields of a span.
#[derive(Default)]
struct Fields(Vec<(&'static str, Value)>);

impl Fields {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| *found == name)?.1.as_str()
    }

    /// The fields as attributes of OTLP, in its mapping to JSON.
    fn attributes(&self) -> Value {
        let attribute = |(name, value): &(&'static str, Value)| {
            let value = match value {
                Value::Number(number) => json!({"intValue": number.to_string()}),
                Value::Bool(is) => json!({"boolValue": is}),
                value => json!({"stringValue": value}),
            };
            json!({"key": name, "value": value})
        };
        self.0.iter().map(attribute).collect()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), value.into()));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.push((field.name(), value.into()));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), value.into()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.push((field.name(), format!("{value:?}").into()));
    }
}

/// Turns spans into messages for the exporter. Spans are lost while its queue is full.
pub struct Traces {
    exporter: SyncSender<Message>,
    ids: Ids,
    start: Instant,
    start_ms: i64,
}

impl Traces {
    /// Sends finished spans to `exporter`.
    pub fn new(exporter: SyncSender<Message>) -> Self {
        Self { exporter, ids: Ids::uuid_v7(), start: instant(), start_ms: system_ms() }
    }

    /// UTC nanoseconds that never go back.
    fn now_ns(&self) -> u64 {
        let start_ns = u64::try_from(self.start_ms).unwrap_or_default().saturating_mul(1_000_000);
        let passed = u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX);
        start_ns.saturating_add(passed)
    }

    /// The trace of a request, new if the client has begun none. `None` if the client wants none.
    fn trace(&self, traceparent: Option<&str>) -> Option<Trace> {
        let Some(given) = traceparent else {
            return Some(Trace { id: self.trace_id(), parent: None });
        };
        let mut parts = given.split('-').skip(1).map(str::to_owned);
        let (id, parent, flags) = (parts.next()?, parts.next()?, parts.next()?);
        let is_sampled = u8::from_str_radix(&flags, 16).is_ok_and(|flags| flags & 1 == 1);
        is_sampled.then_some(Trace { id, parent: Some(parent) })
    }

    /// 32 hexadecimal digits.
    fn trace_id(&self) -> String {
        self.ids.next(system_ms()).replace('-', "")
    }

    /// 16 hexadecimal digits.
    fn span_id(&self) -> String {
        self.trace_id().split_off(16)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Traces {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if span.name() == "request" && span.parent().is_none() {
            if let Some(trace) = self.trace(fields.text("traceparent")) {
                span.extensions_mut().insert(trace);
            }
            return;
        }
        let above = span.parent().and_then(|above| {
            let found = above.extensions();
            let of_request =
                found.get().map(|trace: &Trace| (trace.id.clone(), trace.parent.clone()));
            let of_span =
                || found.get().map(|open: &Open| (open.trace.clone(), Some(open.id.clone())));
            of_request.or_else(of_span)
        });
        let Some((trace, parent)) = above else { return };
        let (id, begin_ns) = (self.span_id(), self.now_ns());
        span.extensions_mut().insert(Open { trace, id, parent, begin_ns, end_ns: None, fields });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            values.record(&mut open.fields);
        }
    }

    fn on_exit(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(open) = span.extensions_mut().get_mut::<Open>() {
            open.end_ns = Some(self.now_ns());
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(open) = span.extensions_mut().remove::<Open>() else { return };
        let end_ns = open.end_ns.unwrap_or_else(|| self.now_ns());
        // 2 is a server's span, 1 an internal one.
        let kind = if span.name() == "answer" { 2 } else { 1 };
        let span = json!({
            "traceId": open.trace,
            "spanId": open.id,
            "parentSpanId": open.parent.unwrap_or_default(),
            "name": open.fields.text("route").unwrap_or(span.name()),
            "kind": kind,
            "startTimeUnixNano": open.begin_ns.to_string(),
            "endTimeUnixNano": end_ns.to_string(),
            "attributes": open.fields.attributes(),
        });
        let _ = self.exporter.try_send(Message::Span(span));
    }
}
