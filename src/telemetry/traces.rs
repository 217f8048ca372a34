//! Traces for an OpenTelemetry collector (OTLP over HTTP), where the environment names one: the variables are
//! OpenTelemetry's own. A collector that can't be reached disturbs nothing, and is told of once.
//!
//! Only what does something is sent: of a look that found nothing new, and of a pass in which nothing had to change,
//! there are thousands each hour.

use std::collections::HashMap;
use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanId, TraceId, TracerProvider as _};
use opentelemetry_otlp::{WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfig, BatchConfigBuilder, BatchSpanProcessor, SdkTracerProvider, SpanData, SpanExporter, SpanProcessor,
};
use reqwest::redirect;
use tracing::{Subscriber, info, warn};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use super::chain;
use crate::licensing::http::certificates;

/// The first that is set counts.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const CERTIFICATES: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "OTEL_EXPORTER_OTLP_CERTIFICATE"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
/// OpenTelemetry's own, where the environment says nothing.
const TIMEOUT: Duration = Duration::from_secs(10);
/// At the end of the process what is left is waited for this long.
const PATIENCE: Duration = Duration::from_secs(3);
/// Of these a trace consists that tells of something.
const WORTH_TELLING: [&str; 3] = ["accept", "request", "record"];

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What gives spans to the collector; `None` where the environment names none.
///
/// # Errors
/// A sentence why there are no traces though a collector is named.
pub(super) fn layer<S>() -> Result<Option<impl Layer<S>>, String>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    let is = |variable, value: &str| env::var(variable).is_ok_and(|set| set.trim().eq_ignore_ascii_case(value));
    let off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    if off || first(ENDPOINTS).is_none() {
        return Ok(None);
    }
    let provider = provider().map_err(|why| format!("there are no traces: {why}"))?;
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("rosterd"))
        .with_location(false)
        .with_threads(false)
        .with_target(false)
        .with_tracked_inactivity(false)
        // Events are the log's, and may name people.
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target().starts_with("rosterd")));
    let _ = PROVIDER.set(provider);
    Ok(Some(layer))
}

/// Sends what is left.
pub(super) fn end() {
    if let Some(provider) = PROVIDER.get() {
        // What could not be sent has been told of.
        let _ = provider.shutdown_with_timeout(PATIENCE);
    }
}

fn first(variables: [&str; 2]) -> Option<String> {
    variables.iter().find_map(|variable| env::var(variable).ok().filter(|value| !value.trim().is_empty()))
}

/// What the environment says of batches does not count: it can ask for more memory than there is, or for no rest.
fn batch() -> BatchConfig {
    BatchConfigBuilder::default()
        .with_max_queue_size(2048)
        .with_max_export_batch_size(512)
        .with_scheduled_delay(Duration::from_secs(5))
        .build()
}

fn provider() -> Result<SdkTracerProvider, String> {
    if let Some(protocol) = first(PROTOCOLS).filter(|protocol| protocol != "http/protobuf") {
        return Err(format!("OTEL_EXPORTER_OTLP_PROTOCOL is {protocol}, and only http/protobuf is spoken here"));
    }
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        .with_protocol(opentelemetry_otlp::Protocol::HttpBinary)
        .with_http_client(client()?)
        .build()
        .map_err(|error| chain(&error))?;
    let exporter = Telling { exporter, ill: AtomicBool::new(false) };
    let worth = Worth {
        next: BatchSpanProcessor::builder(exporter).with_batch_config(batch()).build(),
        traces: Mutex::default(),
    };
    Ok(SdkTracerProvider::builder().with_resource(resource()).with_span_processor(worth).build())
}

/// Made on a thread of its own: it has a runtime inside, which can't be made within another.
fn client() -> Result<reqwest::blocking::Client, String> {
    let milliseconds = first(TIMEOUTS).and_then(|value| value.trim().parse().ok());
    let timeout = milliseconds.map_or(TIMEOUT, Duration::from_millis);
    let trusted = match first(CERTIFICATES) {
        Some(path) => certificates(Path::new(&path)).map_err(|error| chain(&error))?,
        None => Vec::new(),
    };
    let make = move || {
        reqwest::blocking::Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .timeout(timeout)
            .tls_certs_merge(trusted)
            .build()
            .map_err(|error| chain(&error))
    };
    std::thread::spawn(make).join().unwrap_or_else(|_| Err("the client can't be made".to_owned()))
}

fn resource() -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let resource = Resource::builder().with_attribute(version);
    let named = |attributes: String| attributes.split(',').any(|one| one.trim_start().starts_with("service.name="));
    let is_named = env::var("OTEL_SERVICE_NAME").is_ok_and(|name| !name.is_empty())
        || env::var("OTEL_RESOURCE_ATTRIBUTES").is_ok_and(named);
    if is_named { resource.build() } else { resource.with_service_name("rosterd").build() }
}

/// Says once that the collector can't be reached, and once that it can be again.
#[derive(Debug)]
struct Telling {
    exporter: opentelemetry_otlp::SpanExporter,
    ill: AtomicBool,
}

impl SpanExporter for Telling {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let sent = self.exporter.export(batch).await;
        match (&sent, self.ill.swap(sent.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => {
                let why = match error {
                    OTelSdkError::InternalFailure(why) => why.clone(),
                    other => other.to_string(),
                };
                warn!(
                    "traces can't be sent to the collector that {} names ({why}); those of this time are lost, nothing else \
                     is disturbed, and this is not said again until they arrive",
                    ENDPOINTS.iter().find(|variable| env::var_os(variable).is_some()).unwrap_or(&ENDPOINTS[1])
                );
            }
            (Ok(()), true) => info!("traces arrive at the collector again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Keeps back what a trace consists of until there is something in it that is worth telling. Its root ends last.
#[derive(Debug)]
struct Worth {
    next: BatchSpanProcessor,
    traces: Mutex<HashMap<TraceId, Kept>>,
}

/// So many spans of one trace are kept back.
const KEPT_MAX: usize = 256;

#[derive(Debug)]
enum Kept {
    Back(Vec<SpanData>),
    /// It is being told of.
    Nothing,
}

impl Worth {
    /// What is to be told now that this span has ended.
    fn ended(traces: &mut HashMap<TraceId, Kept>, span: SpanData) -> Vec<SpanData> {
        let (trace, is_root) = (span.span_context.trace_id(), span.parent_span_id == SpanId::INVALID);
        let is_worth = WORTH_TELLING.contains(&&*span.name);
        let kept = traces.entry(trace).or_insert_with(|| Kept::Back(Vec::new()));
        let told = match kept {
            Kept::Nothing => vec![span],
            Kept::Back(spans) => {
                // A source that is never at rest is looked at for ever: the newest looks count.
                if spans.len() == KEPT_MAX {
                    spans.remove(0);
                }
                spans.push(span);
                if is_worth { std::mem::take(spans) } else { Vec::new() }
            }
        };
        if is_root {
            traces.remove(&trace);
        } else if is_worth {
            *kept = Kept::Nothing;
        }
        told
    }
}

impl SpanProcessor for Worth {
    fn on_start(&self, span: &mut opentelemetry_sdk::trace::Span, context: &opentelemetry::Context) {
        self.next.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        let told = Worth::ended(&mut self.traces.lock().unwrap_or_else(PoisonError::into_inner), span);
        for span in told {
            self.next.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.next.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.next.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.next.set_resource(resource);
    }
}
