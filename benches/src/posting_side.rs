//! The ledger as one of those that take turns: batches of payments through posting, on one host or on several.

use crate::contest::{Limit, Round, Sample, Side};
use crate::ledger::{Bed, Form};
use crate::process;
use crate::workload::Payments;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

/// Batches of a size, handed in by clients each of which waits for the whole batch before it sends the next.
pub(crate) struct PostingSide {
    runtime: Handle,
    clients: Vec<Client>,
    size: usize,
    form: Form,
}

/// Somebody who sends payments to one host.
#[derive(Clone)]
struct Client {
    bed: Bed,
    payments: Payments,
}

impl PostingSide {
    /// Two clients for each host, so that the lane can decide one batch while it writes the other. A batch of one stands
    /// alone: its client waits for each payment.
    pub(crate) fn new(runtime: &Handle, hosts: &[Bed], size: usize, form: Form) -> PostingSide {
        let in_flight = if size == 1 { 1 } else { 2 };
        let clients = (1..).zip(hosts.iter().flat_map(|bed| (0..in_flight).map(move |_| bed)));
        let clients = clients.map(|(seed, bed)| {
            let payments = Payments::new(seed, bed.accounts, bed.ids.clone());
            Client { bed: bed.clone(), payments }
        });
        PostingSide { runtime: runtime.clone(), clients: clients.collect(), size, form }
    }
}

impl Side for PostingSide {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        let (size, form) = (self.size, self.form);
        let pid = std::process::id();
        process::forget_peak(pid)?;
        let round = Arc::new(Round::begin(limit));
        let latencies = self.runtime.block_on(async {
            let mut working = JoinSet::new();
            for (place, client) in self.clients.iter().cloned().enumerate() {
                let round = Arc::clone(&round);
                working.spawn(async move { (place, client.work(&round, size, form).await) });
            }
            let mut all = Vec::new();
            while let Some(ended) = working.join_next().await {
                let (place, (client, worked)) = ended?;
                self.clients[place] = client;
                all.extend(worked?);
            }
            anyhow::Ok(all)
        })?;
        let elapsed = round.elapsed();
        let count = u64::try_from(latencies.len() * size)?;
        Ok(Sample { count, elapsed, latencies, memory: Some(process::peak_memory(pid)?) })
    }
}

impl Client {
    /// Sends batches until the round ends. Comes back with its payments where they stopped.
    async fn work(mut self, round: &Round, size: usize, form: Form) -> (Client, anyhow::Result<Vec<Duration>>) {
        let mut latencies = Vec::new();
        while round.take(size) {
            let batch = self.payments.batch(size).map(|payment| form.entry(&payment)).collect();
            let sent = Instant::now();
            if let Err(error) = self.bed.submit(batch).await {
                return (self, Err(error));
            }
            latencies.push(sent.elapsed());
        }
        (self, Ok(latencies))
    }
}
