//! The workloads' words, locks and tasks under loom and under shuttle, as a user of those writes
//! them: their own types, sequentially consistent.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::programs::{Backend, Program, Word};

/// loom 0.7.
pub struct Loom;
/// shuttle, with its depth-first search.
pub struct Shuttle;

macro_rules! backend {
    ($backend:ident, $checker:ident) => {
        impl Word for $checker::sync::atomic::AtomicU64 {
            fn load(&self) -> u64 {
                self.load($checker::sync::atomic::Ordering::SeqCst)
            }

            fn store(&self, value: u64) {
                self.store(value, $checker::sync::atomic::Ordering::SeqCst);
            }

            fn add(&self, value: u64) {
                self.fetch_add(value, $checker::sync::atomic::Ordering::SeqCst);
            }

            fn fetch_sub(&self, value: u64) -> u64 {
                self.fetch_sub(value, $checker::sync::atomic::Ordering::SeqCst)
            }

            fn fetch_or(&self, bits: u64) -> u64 {
                self.fetch_or(bits, $checker::sync::atomic::Ordering::SeqCst)
            }

            fn fetch_and(&self, bits: u64) -> u64 {
                self.fetch_and(bits, $checker::sync::atomic::Ordering::SeqCst)
            }

            fn compare_exchange(&self, old: u64, new: u64) -> Result<u64, u64> {
                let order = $checker::sync::atomic::Ordering::SeqCst;
                self.compare_exchange(old, new, order, order)
            }

            fn fetch_update(&self, update: impl Fn(u64) -> Option<u64>) -> Result<u64, u64> {
                let order = $checker::sync::atomic::Ordering::SeqCst;
                self.fetch_update(order, order, update)
            }
        }

        impl Backend for $backend {
            type Word = $checker::sync::atomic::AtomicU64;
            type Lock = $checker::sync::Mutex<()>;
            type Event = ($checker::sync::Mutex<bool>, $checker::sync::Condvar);
            type Task = $checker::thread::JoinHandle<()>;

            fn word(_: usize, value: u64) -> Self::Word {
                Self::Word::new(value)
            }

            fn lock(_: usize) -> Self::Lock {
                Self::Lock::new(())
            }

            fn locked(lock: &Self::Lock, inside: impl FnOnce()) {
                let _guard = lock.lock().expect("no task panics");
                inside();
            }

            fn event(_: usize) -> Self::Event {
                ($checker::sync::Mutex::new(false), $checker::sync::Condvar::new())
            }

            fn wait((happened, woken): &Self::Event) {
                let mut happened = happened.lock().expect("no task panics");
                while !*happened {
                    happened = woken.wait(happened).expect("no task panics");
                }
            }

            fn wake((happened, woken): &Self::Event) {
                *happened.lock().expect("no task panics") = true;
                woken.notify_all();
            }

            fn spawn(body: Box<dyn FnOnce() + Send>) -> Self::Task {
                $checker::thread::spawn(body)
            }

            fn join(task: Self::Task) {
                task.join().expect("no task panics");
            }
        }
    };
}

backend!(Loom, loom);
backend!(Shuttle, shuttle);

/// Runs loom's search; says how it ended.
pub fn explore_with_loom(program: Program) -> String {
    let mut builder = loom::model::Builder::new();
    builder.max_branches = 100_000;
    // Preemptions and time are not bounded, whatever the environment says.
    builder.preemption_bound = None;
    builder.max_permutations = None;
    builder.max_duration = None;
    ended(|| builder.check(move || program()))
}

/// Runs shuttle's depth-first search; says how it ended.
pub fn explore_with_shuttle(program: Program) -> String {
    let mut config = shuttle::Config::new();
    config.failure_persistence = shuttle::FailurePersistence::None;
    config.silence_warnings = true;
    let search = shuttle::scheduler::DfsScheduler::new(None, false);
    let runner = shuttle::Runner::new(search, config);
    ended(|| {
        runner.run(move || program());
    })
}

fn ended(search: impl FnOnce()) -> String {
    let Err(payload) = catch_unwind(AssertUnwindSafe(search)) else { return "complete".into() };
    let message = payload.downcast_ref::<String>().cloned();
    let message = message.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()));
    let message = message.unwrap_or_default();
    if message.to_lowercase().contains("deadlock") {
        return "ended by the deadlock".into();
    }
    if message.contains("threads.len() < ") {
        return "more than its 5 threads".into();
    }
    format!("failed: {}", message.lines().next().unwrap_or_default())
}
