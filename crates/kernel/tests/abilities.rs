//! What an engine cannot do is said: a scenario that needs it is undecided there, and never
//! `holds`.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{
    Cpus, INIT_WORK, Name, Var, WRITE_ONCE, Work, flush_work, interrupt, join, queue_work_on,
    spawn_task,
};

fn run(engine: Engine, body: impl Fn() + Send + Sync + 'static) -> Verdict {
    explore(engine, &Bounds::PROOF, Vec::new(), Arc::new(body)).verdict
}

fn assert_undecided(verdict: &Verdict, why: &str) {
    assert!(matches!(verdict, Verdict::Undecided(said) if said.contains(why)), "{verdict}");
}

/// A task queues work, and flushes it or not.
fn queues(flushes: bool) -> impl Fn() + Send + Sync + 'static {
    move || {
        let cpus = Arc::new(Cpus::new(1, false));
        let done = Arc::new(Var::new(Name::new("done"), 0));
        let work = Work::new(Name::new("work"));
        let (here, theirs) = (cpus.clone(), done.clone());
        join(spawn_task(&cpus, 0, "queuer", move || {
            INIT_WORK(&work, Arc::new(move || WRITE_ONCE(&theirs, 1)));
            queue_work_on(&here, 0, &work);
            if flushes {
                flush_work(&here, &work);
            }
        }));
        if flushes {
            assert_eq!(done.peek(), 1);
        }
    }
}

#[test]
fn work_that_nobody_flushes_is_not_run_under_loom() {
    assert_eq!(run(Engine::Dpor, queues(false)), Verdict::Holds);
    assert_undecided(&run(Engine::Loom, queues(false)), "work is queued and never flushed");
    for engine in [Engine::Dpor, Engine::Loom] {
        assert_eq!(run(engine, queues(true)), Verdict::Holds, "{engine}");
    }
}

/// A look at what unfinished work may still change is no proof, whatever engine it is.
#[test]
fn main_may_not_peek_while_work_is_queued() {
    let body = || {
        let cpus = Arc::new(Cpus::new(1, false));
        let done = Arc::new(Var::new(Name::new("done"), 0));
        let work = Work::new(Name::new("work"));
        let (here, theirs) = (cpus.clone(), done.clone());
        join(spawn_task(&cpus, 0, "queuer", move || {
            INIT_WORK(&work, Arc::new(move || WRITE_ONCE(&theirs, 1)));
            queue_work_on(&here, 0, &work);
        }));
        done.peek();
    };
    assert_undecided(&run(Engine::Dpor, body), "main has not waited for the end of kworker/0");
    // The schedule that is run twice to begin with is no run of loom.
    assert_undecided(&run(Engine::Loom, body), "peek()");
}

#[test]
fn an_interrupt_is_beyond_loom() {
    let body = || {
        let cpus = Cpus::new(1, false);
        let irq = interrupt(&cpus, 0, "timer", || {});
        join(irq);
    };
    assert_eq!(run(Engine::Dpor, body), Verdict::Holds);
    assert_undecided(&run(Engine::Loom, body), "timer is an interrupt, and this engine has none");
}
