//! Where logs go, and spans: to standard error, and to a collector if one is named. A collector that is slow or gone costs its spans, and no
//! request anything.

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::io::IsTerminal;
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

/// How long a collector may take for some spans.
const SEND_MAX: Duration = Duration::from_secs(5);

/// How long the end of the program waits for the last ones.
const END_MAX: Duration = Duration::from_secs(2);

/// The most bytes of a collector's answer.
const ANSWER_MAX: usize = 1 << 16;

/// Spans on their way to a collector, if there is one.
pub(crate) struct Spans(Option<SdkTracerProvider>);

impl Spans {
    /// Sends what is left, for a short while.
    pub(crate) async fn end(self) {
        let Spans(Some(provider)) = self else { return };
        let _ = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(END_MAX)).await;
    }
}

/// Logs go to standard error; `RUST_LOG` chooses what, `HESABU_LOG=json` how. Spans of level info go to the collector, too.
pub(crate) fn start_logging(collector: Option<&str>) -> anyhow::Result<Spans> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn,tower_http=info"));
    let logs = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = if std::env::var("HESABU_LOG").is_ok_and(|form| form == "json") {
        logs.json().with_filter(filter).boxed()
    } else {
        logs.with_ansi(std::io::stderr().is_terminal()).with_filter(filter).boxed()
    };
    let provider = collector.map(provider).transpose()?;
    let spans = provider.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("hesabu"));
        layer.with_location(false).with_threads(false).with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry().with(logs).with(spans).init();
    Ok(Spans(provider))
}

/// Sends spans in batches, from a thread of its own; those for which there is no room in its queue are dropped.
fn provider(collector: &str) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", collector.trim_end_matches('/')))
        .with_timeout(SEND_MAX)
        .with_http_client(Sender {
            client: Client::builder(TokioExecutor::new()).build_http(),
            runtime: Handle::current(),
        })
        .build()?;
    let resource = Resource::builder().with_service_name("hesabu").build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// Sends on the program's own runtime for the exporter, whose thread has none.
#[derive(Debug)]
struct Sender {
    client: Client<HttpConnector, Full<Bytes>>,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let exchange = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await?.to_bytes();
            Ok::<_, HttpError>(Response::from_parts(head, body))
        };
        // The clock is the runtime's, too.
        let sent = self.runtime.spawn(async { tokio::time::timeout(SEND_MAX, exchange).await });
        let answer = sent.await??;
        if let Err(error) = &answer {
            tracing::debug!(%error, "spans are lost");
        }
        answer
    }
}
