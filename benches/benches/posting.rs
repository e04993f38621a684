//! One durable batch through posting, alone: from handing it in to the answer, on SQLite and, where the environment names a server,
//! on PostgreSQL. How that compares with a bare program is measured by the program `hesabu-benches`.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hesabu_benches::database::{Engine, server};
use hesabu_benches::ledger::{Bed, FORMS};
use hesabu_benches::workload::{Payments, SIZES};
use std::time::Duration;
use tokio::runtime::Runtime;

const ACCOUNTS: u64 = 10_000;

fn posting(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the operating system gives threads");
    for engine in [Engine::Sqlite, Engine::Postgres] {
        match server() {
            Err(missing) if engine == Engine::Postgres => eprintln!("PostgreSQL is left out: {missing}"),
            _ => on(criterion, &runtime, engine).expect("posting and its database work"),
        }
    }
}

fn on(criterion: &mut Criterion, runtime: &Runtime, engine: Engine) -> anyhow::Result<()> {
    let mut measured = criterion.benchmark_group(format!("posting on {}", engine.name()));
    measured.sample_size(20).measurement_time(Duration::from_secs(8));
    for (size, form) in SIZES.into_iter().flat_map(|size| FORMS.map(|form| (size, form))) {
        measured.throughput(Throughput::Elements(u64::try_from(size)?));
        let database = engine.fresh(runtime)?;
        let bed = runtime.block_on(Bed::open(&database.url, ACCOUNTS))?;
        let mut payments = Payments::new(1, ACCOUNTS, bed.ids.clone());
        measured.bench_function(BenchmarkId::new(form.words(), size), |bencher| {
            bencher.iter_batched(
                || payments.batch(size).map(|payment| form.entry(&payment)).collect(),
                |batch| runtime.block_on(bed.submit(batch)).expect("every payment is accepted"),
                BatchSize::PerIteration,
            );
        });
        runtime.block_on(bed.prove())?;
        runtime.block_on(bed.close());
        database.remove(runtime)?;
    }
    measured.finish();
    Ok(())
}

criterion_group!(benches, posting);
criterion_main!(benches);
