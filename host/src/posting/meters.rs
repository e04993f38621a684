//! Figures of posting: recorded once for each batch, and for each refusal. What they mean is said where they are read.

use super::lane::Waiting;
use ledger_core::{LedgerId, Outcome};
use metrics::{Gauge, Histogram, SharedString, counter, gauge, histogram};

/// Where a lane records.
pub(super) struct Meters {
    ledger: SharedString,
    seconds: Histogram,
    commands: Histogram,
    waiting: Gauge,
}

impl Meters {
    pub(super) fn of(ledger: LedgerId) -> Meters {
        let ledger = SharedString::from(crate::id_text(ledger.0));
        Meters {
            seconds: histogram!("hesabu_posting_seconds", "ledger" => ledger.clone()),
            commands: histogram!("hesabu_posting_batch_commands", "ledger" => ledger.clone()),
            waiting: gauge!("hesabu_posting_waiting", "ledger" => ledger.clone()),
            ledger,
        }
    }

    /// A batch is durable, and about to be answered. Of those who wait, the first has waited longest.
    pub(super) fn batch(&self, waiting: &[Waiting], outcomes: &[Outcome]) {
        if let Some(first) = waiting.first() {
            self.seconds.record(first.since.elapsed());
        }
        let commands = u32::try_from(outcomes.len()).unwrap_or(u32::MAX);
        self.commands.record(f64::from(commands));
        for rejection in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            let labels = [("ledger", self.ledger.clone()), ("code", rejection.word().into())];
            counter!("hesabu_posting_rejections_total", &labels).increment(1);
        }
    }

    /// So many commands wait to be decided, or to be durable.
    pub(super) fn waiting(&self, commands: usize) {
        self.waiting.set(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
    }
}
