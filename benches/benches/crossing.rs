//! The same decision in the component, as the server calls it: conversions, a fresh instance, the call, the checks. The decision
//! itself is in `decision.rs`.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hesabu::engine::{Book, COMPONENT, Engine};
use hesabu_benches::workload::{Batch, SIZES};
use ledger_core::Timestamp;
use std::hint::black_box;
use tokio::runtime::Runtime;

/// A batch of random payments against the accounts that it touches.
fn batches(criterion: &mut Criterion) {
    let engine = Engine::load(COMPONENT).expect("the component loads");
    let mut group = criterion.benchmark_group("crossing");
    for size in SIZES {
        group.throughput(Throughput::Elements(u64::try_from(size).unwrap_or(u64::MAX)));
        for accounts in [10_000, 1_000_000] {
            let batch = Batch::of(size, accounts);
            group.bench_function(BenchmarkId::new(format!("{accounts} accounts"), size), |bencher| {
                bencher.iter_batched(
                    || (Book { accounts: batch.accounts.clone(), ..Book::default() }, batch.items.clone()),
                    |(book, items)| {
                        black_box(engine.post_here(&book, &items, Timestamp(1)).expect("the component decides"))
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

/// Would one payment be accepted?
fn one(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("the operating system gives threads");
    let engine = Engine::load(COMPONENT).expect("the component loads");
    let batch = Batch::of(1, 10_000);
    let book = Book { accounts: batch.accounts.clone(), ..Book::default() };
    let item = *batch.items.first().expect("a batch of one has one");
    criterion.bench_function("crossing/preview", |bencher| {
        bencher.iter_batched(
            || book.clone(),
            |book| runtime.block_on(engine.preview(book, item.command, Timestamp(1))).expect("the component decides"),
            BatchSize::SmallInput,
        );
    });
}

criterion_group!(benches, batches, one);
criterion_main!(benches);
