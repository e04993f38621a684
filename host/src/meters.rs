//! What is measured: every figure's name and meaning, and how it is read. Who measures calls `metrics` by these names, and knows nothing of who
//! reads. Labels are ledgers, codes, methods, route templates and statuses: things of which there are few, whatever clients send.

use crate::id_text;
use crate::mail;
use crate::store::Db;
use crate::system_clock;
use ledger_core::LedgerId;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Bounds of times, in seconds: from what a batch in memory takes to what a request may.
const SECONDS: [f64; 14] = [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 30.0];

/// Bounds of how many commands a batch has.
const COMMANDS: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 8_190.0];

/// How often what was measured is put into its buckets, so that it does not pile up when nobody reads.
const UPKEEP: Duration = Duration::from_secs(5);

/// How long the database may take for figures that it has, and how often it is asked at most: anybody may read them.
const SCRAPE_MAX: Duration = Duration::from_secs(1);

/// When it was asked last.
static SCRAPED: Mutex<Option<Instant>> = Mutex::new(None);

static FIGURES: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Measures from now on, for the whole process. Further calls do nothing.
///
/// # Panics
/// Outside of an async runtime.
pub fn install() {
    FIGURES.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Suffix("_commands".into()), &COMMANDS));
        // Without figures the server serves all the same.
        let handle = builder.and_then(PrometheusBuilder::install_recorder);
        let handle = handle.inspect_err(|error| tracing::warn!(%error, "nothing is measured")).ok()?;
        describe();
        tokio::spawn({
            let handle = handle.clone();
            async move {
                loop {
                    tokio::time::sleep(UPKEEP).await;
                    handle.run_upkeep();
                }
            }
        });
        Some(handle)
    });
}

fn describe() {
    describe_histogram!("hesabu_posting_seconds", Unit::Seconds, "From the first wait of a batch to its answer");
    describe_histogram!("hesabu_posting_batch_commands", "Commands decided together");
    describe_gauge!("hesabu_posting_waiting", "Commands that wait to be decided, or to be durable");
    describe_counter!("hesabu_posting_rejections_total", "Commands that the ledger refused, by its code");
    describe_gauge!("hesabu_ledger_info", "The name of each ledger");
    describe_counter!("hesabu_http_requests_total", "Requests answered");
    describe_histogram!("hesabu_http_request_seconds", Unit::Seconds, "From a request's head to its answer's");
    describe_gauge!("hesabu_http_requests_in_flight", "Requests that are being answered");
    describe_gauge!("hesabu_http_connections", "Connections that are open");
    describe_counter!("hesabu_rate_limited_total", "Requests refused because their client had sent too many");
    describe_gauge!("hesabu_mail_oldest_seconds", Unit::Seconds, "For how long the mail waits that has waited longest");
    describe_gauge!("hesabu_database_connections", "Connections to the database, or to its file");
}

/// Everything measured, in the text form of Prometheus.
pub fn text() -> String {
    FIGURES.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

/// Gauges that are looked up when somebody reads, and not kept up meanwhile: here is where more of them are set.
pub async fn scrape(db: &Db) {
    let (open, idle) = db.connections();
    gauge!("hesabu_database_connections", "state" => "idle").set(f64::from(idle));
    gauge!("hesabu_database_connections", "state" => "used").set(f64::from(open.saturating_sub(idle)));
    {
        let mut scraped = SCRAPED.lock().unwrap_or_else(PoisonError::into_inner);
        if scraped.is_some_and(|at| at.elapsed() < SCRAPE_MAX) {
            return;
        }
        *scraped = Some(Instant::now());
    }
    // A database that does not answer is no reason not to tell the rest.
    if let Ok(Ok(oldest)) = tokio::time::timeout(SCRAPE_MAX, mail::oldest_unsent(db)).await {
        let age = oldest.map_or(0, |since| system_clock().0.saturating_sub(since)) / 1_000_000;
        gauge!("hesabu_mail_oldest_seconds").set(f64::from(u32::try_from(age).unwrap_or(u32::MAX)));
    }
}

/// Tells readers what a ledger is called.
pub fn name_ledger(ledger: LedgerId, name: &'static str) {
    gauge!("hesabu_ledger_info", "ledger" => id_text(ledger.0), "name" => name).set(1.0);
}

/// A request that is being answered. Dropping it says that nobody waits for it any more.
pub struct Answering(());

/// A request begins.
pub fn request_begins() -> Answering {
    gauge!("hesabu_http_requests_in_flight").increment(1.0);
    Answering(())
}

impl Answering {
    /// It ends: `method` and `route` must be of a few.
    pub fn ends(self, method: &'static str, route: String, status: u16, took: Duration) {
        let labels = [("method", method.into()), ("route", metrics::SharedString::from(route))];
        histogram!("hesabu_http_request_seconds", &labels).record(took);
        let [method, route] = labels;
        counter!("hesabu_http_requests_total", &[method, route, ("status", status.to_string().into())]).increment(1);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        gauge!("hesabu_http_requests_in_flight").decrement(1.0);
    }
}
