//! The server as one of those that take turns: proposals over HTTP, from a load generator beside it.

use crate::contest::{Limit, Sample, Side};
use crate::load::{self, LoadPlan, Payees};
use crate::network::Member;
use crate::process;
use crate::server::Server;
use std::time::Duration;

/// Keep-alive connections, each with one request at a time.
pub(crate) const CONNECTIONS: usize = 64;

/// Proposals to one server.
pub(crate) struct HttpSide<'s> {
    server: &'s Server,
    plan: LoadPlan,
    /// Everything that was answered, warming up included.
    pub(crate) answered: u64,
}

impl<'s> HttpSide<'s> {
    pub(crate) fn new(server: &'s Server, members: &[Member], payees: Payees) -> HttpSide<'s> {
        let plan = LoadPlan {
            address: server.address.clone(),
            connections: CONNECTIONS,
            millis: 0,
            seed: 0,
            payees,
            until_gone: false,
            members: members.to_vec(),
        };
        HttpSide { server, plan, answered: 0 }
    }
}

impl Side for HttpSide<'_> {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        self.plan.seed += 1;
        self.plan.millis = u64::try_from(limit.time.as_millis())?;
        process::forget_peak(self.server.pid())?;
        let report = load::report(load::spawn(&self.plan)?)?;
        let count = u64::try_from(report.latencies.len())?;
        self.answered += count;
        let latencies = report.latencies.into_iter().map(Duration::from_nanos).collect();
        let memory = Some(process::peak_memory(self.server.pid())?);
        Ok(Sample { count, elapsed: Duration::from_nanos(report.elapsed), latencies, memory })
    }
}
