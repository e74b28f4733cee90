//! What a call costs in four ways: a synchronous call on the calling thread, the same call on a
//! fiber that can yield, that with slots and turns as the runtime has it, and a synchronous call on
//! a pool of threads. `docs/decisions/guest-calls.md` has the results.

#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

#[path = "../tests/all/guest/mod.rs"]
mod guest;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::executor::block_on;
use orascache_runtime::Limits;
use std::hint::black_box;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;
use wasmtime::component::{Component, ComponentType, Lift, Linker, TypedFunc};
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, Store};

/// The runtimes of this benchmark have two threads, and so has the pool.
const THREADS: usize = 2;
/// How often the epoch advances, as in the runtime.
const TICK: Duration = Duration::from_millis(10);
/// Ticks that a call may take: two seconds.
const DEADLINE_TICKS: u64 = 200;
/// Tasks that call at the same time.
const TASKS: usize = 8;
/// An empty call, and one that takes about as long as a decision about a pod.
const TEXTS: [(&str, &str); 2] = [("an empty call", "{}"), ("a call of 20,000 loops", "s20000")];

/// `error` of the WIT package.
#[derive(ComponentType, Lift)]
#[component(variant)]
#[allow(dead_code, reason = "only whether there is one matters here")]
enum Error {
    #[component(name = "invalid-input")]
    InvalidInput(String),
    #[component(name = "internal")]
    Internal(String),
}

type CheckSettings = TypedFunc<(String,), (Result<(), Error>,)>;

/// One instance, called without the runtime.
struct Raw {
    store: Store<()>,
    check_settings: CheckSettings,
}

impl Raw {
    fn new(engine: &wasmtime::Engine, yields: bool) -> Self {
        let component = Component::new(engine, guest::component()).expect("a component");
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(DEADLINE_TICKS);
        if yields {
            store.epoch_deadline_async_yield_and_update(1);
        }
        let linker = Linker::new(engine);
        let instance = block_on(linker.instantiate_async(&mut store, &component)).expect("an instance");
        let admission = "orascache:operator/admission@0.3.0";
        let admission = instance.get_export_index(&mut store, None, admission).expect("exported");
        let function = instance.get_export_index(&mut store, Some(&admission), "check-settings");
        let check_settings =
            instance.get_typed_func(&mut store, function.expect("exported")).expect("of that type");
        Self { store, check_settings }
    }

    fn call(&mut self, text: &str) {
        self.store.set_epoch_deadline(DEADLINE_TICKS);
        let checked = self.check_settings.call(&mut self.store, (text.to_owned(),)).expect("it runs");
        assert!(checked.0.is_ok());
    }

    async fn call_async(&mut self, text: &str) {
        self.store.set_epoch_deadline(DEADLINE_TICKS);
        let checked = self.check_settings.call_async(&mut self.store, (text.to_owned(),)).await;
        assert!(checked.expect("it runs").0.is_ok());
    }
}

/// An engine whose epoch advances.
fn engine() -> wasmtime::Engine {
    let mut pool = PoolingAllocationConfig::default();
    pool.pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .epoch_interruption(true)
        .concurrency_support(false);
    let engine = wasmtime::Engine::new(&config).expect("an engine");
    let weak = engine.weak();
    std::thread::spawn(move || {
        while let Some(engine) = weak.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    });
    engine
}

/// A call for the pool: its text, and where its end is reported.
type Job = (&'static str, oneshot::Sender<()>);

/// Threads that make synchronous calls for tasks.
struct Pool(Sender<Job>);

impl Pool {
    fn start(engine: &wasmtime::Engine) -> Self {
        let (sender, jobs) = channel::<Job>();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..THREADS {
            let (jobs, mut raw) = (jobs.clone(), Raw::new(engine, false));
            std::thread::spawn(move || {
                loop {
                    let job = jobs.lock().expect("whole").recv();
                    let Ok((text, done)) = job else { break };
                    raw.call(text);
                    let _ = done.send(());
                }
            });
        }
        Self(sender)
    }

    async fn call(&self, text: &'static str) {
        let (done, ended) = oneshot::channel();
        self.0.send((text, done)).expect("the threads run");
        ended.await.expect("an answer");
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("threads")
}

fn alone(criterion: &mut Criterion) {
    let engine = engine();
    let (mut synchronous, mut fiber) = (Raw::new(&engine, false), Raw::new(&engine, true));
    let turns = guest::load(Limits::default());
    let pool = Pool::start(&engine);
    let runtime = runtime();
    for (name, text) in TEXTS {
        let mut group = criterion.benchmark_group(format!("{name}, alone"));
        group.bench_function("synchronous", |bencher| bencher.iter(|| synchronous.call(black_box(text))));
        group.bench_function("fiber", |bencher| bencher.iter(|| block_on(fiber.call_async(black_box(text)))));
        group.bench_function("fiber with turns", |bencher| {
            bencher.iter(|| block_on(turns.check_settings(black_box(text))).expect("good"));
        });
        group.bench_function("pool of threads", |bencher| {
            bencher.iter(|| runtime.block_on(pool.call(black_box(text))));
        });
        group.finish();
    }
}

/// Time for that many calls, made by several tasks at once.
fn together<F, C>(runtime: &tokio::runtime::Runtime, calls: u64, call: C) -> Duration
where
    F: Future<Output = ()> + Send,
    C: Fn() -> F + Clone + Send + 'static,
{
    let each = calls.div_ceil(TASKS as u64);
    let began = Instant::now();
    runtime.block_on(async {
        let task = |_| {
            let call = call.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    call().await;
                    // As tasks do that read their next request.
                    tokio::task::yield_now().await;
                }
            })
        };
        for task in (0..TASKS).map(task).collect::<Vec<_>>() {
            task.await.expect("no panic");
        }
    });
    began.elapsed()
}

fn at_once(criterion: &mut Criterion) {
    let turns = guest::load(Limits::default());
    let pool = Arc::new(Pool::start(&engine()));
    let runtime = runtime();
    for (name, text) in TEXTS {
        let mut group = criterion.benchmark_group(format!("{name}, {TASKS} tasks on {THREADS} threads"));
        group.bench_function("fiber with turns", |bencher| {
            bencher.iter_custom(|calls| {
                let guest = turns.clone();
                together(&runtime, calls, move || {
                    let guest = guest.clone();
                    async move { guest.check_settings(text).await.expect("good") }
                })
            });
        });
        group.bench_function("pool of threads", |bencher| {
            bencher.iter_custom(|calls| {
                let pool = pool.clone();
                together(&runtime, calls, move || {
                    let pool = pool.clone();
                    async move { pool.call(text).await }
                })
            });
        });
        group.finish();
    }
}

criterion_group!(benches, alone, at_once);
criterion_main!(benches);
