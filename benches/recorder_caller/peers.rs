//! The same job in other libraries: a span or event with the same values, handed to a consumer that throws it away.

use std::time::Duration;

use opentelemetry::trace::{Span as _, Status, Tracer as _, TracerProvider as _};
use opentelemetry::{KeyValue, StringValue};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::{measure, pause, show};

const IDS: [(&str, &str); 5] = [
    ("id", "0193a1de-7b1a-7c3e-8c11-2f6f1f0a9f01"),
    ("invocation", "0193a1de-7b1a-7c3e-8c11-2f6f1f0a9f02"),
    ("event", "0193a1de-7b1a-7c3e-8c11-2f6f1f0a9f03"),
    ("correlation", "hasura.0193a1de-7b1a-7c3e-8c11-2f6f1f0a9f02"),
    ("name", "sendNotification"),
];

#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    async fn export(&self, _: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}

/// The start has set the ids; the end sets status and result.
pub(crate) fn opentelemetry(json: &str) {
    let provider =
        SdkTracerProvider::builder().with_span_processor(BatchSpanProcessor::builder(Nowhere).build()).build();
    let tracer = provider.tracer("bench");
    let mut calls = measure(
        || {
            let mut span = tracer.start("sendNotification");
            IDS.into_iter().for_each(|(key, value)| span.set_attribute(KeyValue::new(key, value)));
            span
        },
        |mut span| {
            span.set_attribute(KeyValue::new("result", StringValue::from(json.to_owned())));
            span.set_status(Status::Ok);
            span.end();
        },
        pause,
    );
    show("opentelemetry_sdk, batch: finish", &mut calls, "?");
    let _ = provider.shutdown_with_timeout(Duration::from_secs(5));
}

struct Discard;

impl fastrace::collector::Reporter for Discard {
    fn report(&mut self, spans: Vec<fastrace::prelude::SpanRecord>) {
        drop(spans);
    }
}

/// A root span of its own, so that the end submits it.
pub(crate) fn fastrace(json: &str) {
    use fastrace::prelude::{Span, SpanContext};
    fastrace::set_reporter(Discard, fastrace::collector::Config::default());
    let mut calls = measure(
        || Span::root("sendNotification", SpanContext::random()).with_properties(|| IDS),
        |span| {
            span.add_properties(|| [("status", "completed".to_owned()), ("result", json.to_owned())]);
            drop(span);
        },
        pause,
    );
    show("fastrace, root span: finish", &mut calls, "?");
    fastrace::flush();
}

/// One line with all values.
pub(crate) fn tracing_appender(json: &str) {
    let (writer, guard) = tracing_appender::non_blocking(std::io::sink());
    let layer = tracing_subscriber::fmt::layer().with_writer(writer.clone());
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || {
        let [id, invocation, event, correlation, name] = IDS.map(|(_, value)| value);
        let mut calls = measure(
            || (),
            |()| {
                tracing::info!(
                    id,
                    invocation,
                    event,
                    correlation,
                    name,
                    status = "completed",
                    duration = 12,
                    result = json
                )
            },
            pause,
        );
        show("tracing fmt + appender: one line", &mut calls, &writer.error_counter().dropped_lines().to_string());
    });
    drop(guard);
}
