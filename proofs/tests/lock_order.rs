//! Cycles of the lock and wait graph, and what the tribunal makes of them: a deadlock of every pair
//! of things to wait for is real, and what lockdep reports wrongly is refuted by its guard.

use std::collections::BTreeSet;
use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, explore, note};
use selvedge_kernel::*;
use selvedge_models::fs::buffer::{lock_buffer, trylock_buffer, unlock_buffer};
use selvedge_models::mm::filemap::{folio_lock, folio_trylock, folio_unlock};
use selvedge_models::mm::page_writeback::{
    folio_end_writeback, folio_start_writeback, folio_wait_writeback,
};
use selvedge_models::trees::{V6_3_RC1, V6_12_117, V6_12_117_RT};
use selvedge_models::{Kernel, Machine, Tree};
use selvedge_monitors::lock_graph::{Guard, Judged, LockGraph, Locks, Use, Verdict};
use selvedge_monitors::standard;
use selvedge_proofs::Run;
use selvedge_proofs::lock_order::{self, Explored, explore_body};
use selvedge_trace::Action;

/// What a task may wait for, and hold or owe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Thing {
    Spin,
    Mutex,
    /// A writer.
    Rwsem,
    Folio,
    Buffer,
    Writeback,
    Work,
    Completion,
    Rcu,
}

use Thing::{Buffer, Folio, Rcu, Rwsem, Spin, Work, Writeback};

const ALL: [Thing; 9] =
    [Spin, Thing::Mutex, Rwsem, Folio, Buffer, Writeback, Work, Thing::Completion, Rcu];

impl Thing {
    /// Does a task come to hold it by a step of its own?
    fn is_taken(self) -> bool {
        !matches!(self, Work | Thing::Completion)
    }

    /// Its instance of this number, as the graph names it.
    fn name(self, nth: usize) -> String {
        match self {
            Spin => format!("spin[{nth}]"),
            Thing::Mutex => format!("mutex[{nth}]"),
            Rwsem => format!("rwsem[{nth}]"),
            Folio => format!("PG_locked of folio{nth}"),
            Buffer => format!("BH_Lock of bh{nth}"),
            Writeback => format!("PG_writeback of folio{nth}"),
            Work => format!("end of kworker/{nth}"),
            Thing::Completion => format!("wake-up of completion[{nth}]"),
            Rcu => format!("cpu{nth}:local lock"),
        }
    }
}

/// Two of each thing.
struct Things {
    kernel: Arc<Kernel>,
    spins: [SpinLock; 2],
    mutexes: [Mutex; 2],
    rwsems: [RwSem; 2],
    gate: Mutex,
    works: [selvedge_kernel::Work; 2],
    completions: [Completion; 2],
    locals: PerCpu<LocalLock>,
    flag: Var,
}

impl Things {
    fn new(tree: &'static Tree) -> Arc<Things> {
        let machine = Machine::TINY.folios(2).buffer_heads(2).sleepers(2).writeback();
        let kernel = Kernel::new(tree, machine);
        let of = |name: &'static str| move |nth: usize| Name::new(name).nth(nth);
        let local = |cpu| LocalLock::new(&kernel.cpus, "local lock", cpu);
        let locals = PerCpu::new(&kernel.cpus, local);
        Arc::new(Things {
            spins: [0, 1].map(of("spin")).map(SpinLock::new),
            mutexes: [0, 1].map(of("mutex")).map(Mutex::new),
            rwsems: [0, 1].map(of("rwsem")).map(RwSem::new),
            gate: Mutex::new(Name::new("gate")),
            works: [0, 1].map(of("work")).map(selvedge_kernel::Work::new),
            completions: [0, 1].map(of("completion")).map(Completion::new),
            flag: Var::new(Name::new("flag"), 0),
            locals,
            kernel,
        })
    }

    fn hold(&self, thing: Thing, nth: usize) {
        let k = &*self.kernel;
        match thing {
            Spin => spin_lock(&k.cpus, &self.spins[nth]),
            Thing::Mutex => mutex_lock(&k.cpus, &self.mutexes[nth]),
            Rwsem => down_write(&k.cpus, &self.rwsems[nth]),
            Folio => folio_lock(k, &k.folios[nth]),
            Buffer => lock_buffer(k, &k.buffer_heads[nth]),
            Writeback => {
                assert!(folio_trylock(&k.folios[nth]), "nobody locks it for long");
                folio_start_writeback(k, &k.folios[nth]);
                folio_unlock(k, &k.folios[nth]);
            }
            // From the beginning, or on the CPU where it runs.
            Work | Thing::Completion => {}
            Rcu => local_lock(&k.cpus, &self.locals),
        }
    }

    fn let_go(&self, thing: Thing, nth: usize) {
        let k = &*self.kernel;
        match thing {
            Spin => spin_unlock(&k.cpus, &self.spins[nth]),
            Thing::Mutex => mutex_unlock(&self.mutexes[nth]),
            Rwsem => up_write(&self.rwsems[nth]),
            Folio => folio_unlock(k, &k.folios[nth]),
            Buffer => unlock_buffer(k, &k.buffer_heads[nth]),
            Writeback => folio_end_writeback(k, &k.folios[nth]),
            Work => {}
            Thing::Completion => complete(&k.cpus, &self.completions[nth]),
            Rcu => local_unlock(&k.cpus, &self.locals),
        }
    }

    fn wait(&self, thing: Thing, nth: usize) {
        let k = &*self.kernel;
        match thing {
            Spin | Thing::Mutex | Rwsem | Folio | Buffer => {
                self.hold(thing, nth);
                self.let_go(thing, nth);
            }
            Writeback => folio_wait_writeback(k, &k.folios[nth]),
            Work => flush_work(&k.cpus, &self.works[nth]),
            Thing::Completion => wait_for_completion(&k.cpus, &self.completions[nth]),
            Rcu => synchronize_rcu(&k.cpus),
        }
    }

    /// Tries to lock it; what a task does that does not get it is nothing.
    fn attempt(&self, thing: Thing, nth: usize) {
        let k = &*self.kernel;
        let got = match thing {
            Folio => folio_trylock(&k.folios[nth]),
            Buffer => trylock_buffer(&k.buffer_heads[nth]),
            Spin => spin_trylock(&k.cpus, &self.spins[nth]),
            Thing::Mutex => mutex_trylock(&self.mutexes[nth]),
            Rwsem => down_write_trylock(&self.rwsems[nth]),
            _ => unreachable!("a thing that is tried"),
        };
        if got {
            self.let_go(thing, nth);
        }
    }
}

/// Runs one body on each CPU; one that owes a work item is that work item.
fn on_two_cpus(
    tree: &'static Tree,
    owed: [Thing; 2],
    bodies: [fn(&Things, [Thing; 2]); 2],
) -> Explored {
    let program = move || {
        let things = Things::new(tree);
        let tasks: Vec<usize> = (0..2)
            .filter_map(|cpu| {
                let (shared, body) = (things.clone(), bodies[cpu]);
                let k = &things.kernel;
                if owed[cpu] != Work {
                    return Some(k.task(cpu, &format!("task{cpu}"), move |_| body(&shared, owed)));
                }
                INIT_WORK(&things.works[cpu], Arc::new(move || body(&shared, owed)));
                queue_work_on(&k.cpus, cpu, &things.works[cpu]);
                None
            })
            .collect();
        tasks.into_iter().for_each(join);
        join_all();
    };
    explore_body(Arc::new(program), &Bounds::PROOF)
}

/// Says what the task owes from its beginning.
fn owes(things: &Things, thing: Thing, nth: usize) {
    if thing == Thing::Completion {
        let completion = &things.completions[nth];
        note(Action::Owns(1), completion.object(), Name::new("completion").nth(nth));
    }
}

fn ab(things: &Things, [a, b]: [Thing; 2]) {
    owes(things, a, 0);
    things.hold(a, 0);
    things.wait(b, 1);
    things.let_go(a, 0);
}

fn ba(things: &Things, [a, b]: [Thing; 2]) {
    owes(things, b, 1);
    things.hold(b, 1);
    things.wait(a, 0);
    things.let_go(b, 1);
}

fn gated(things: &Things, owed: [Thing; 2], body: fn(&Things, [Thing; 2])) {
    mutex_lock(&things.kernel.cpus, &things.gate);
    body(things, owed);
    mutex_unlock(&things.gate);
}

/// The verdict on the cycle of these two, if there is such a cycle.
fn verdict<'a>(explored: &'a Explored, names: [&str; 2]) -> Option<&'a Verdict> {
    let mut names = names;
    names.sort_unstable();
    let is_meant = |judged: &&Judged| {
        let mut cycle: Vec<&str> = judged.cycle.iter().map(|&id| explored.graph.name(id)).collect();
        cycle.sort_unstable();
        cycle == names
    };
    explored.cycles.iter().find(is_meant).map(|judged| &judged.verdict)
}

/// All pairs, but that a reader of RCU which waits for readers waits for itself.
fn pairs() -> impl Iterator<Item = [Thing; 2]> {
    let all = ALL.into_iter().flat_map(|a| ALL.map(|b| [a, b]));
    all.filter(|pair| *pair != [Rcu, Rcu])
}

/// With PREEMPT_RT, where who has a spinlock may sleep, and RCU readers may.
#[test]
fn a_deadlock_of_every_pair_is_real() {
    for [a, b] in pairs() {
        let explored = on_two_cpus(&V6_12_117_RT, [a, b], [ab, ba]);
        let names = [a.name(0), b.name(1)];
        let found = verdict(&explored, [&names[0], &names[1]]);
        let Some(Verdict::Real(shown)) = found else { panic!("{names:?}: {:?}", explored.cycles) };
        assert!(shown.blocked.len() >= 2, "{names:?}: both wait for ever");
        assert_eq!(explored.search.cut, None, "{names:?}");
    }
}

#[test]
fn a_lock_held_on_both_sides_refutes_the_cycle() {
    for [a, b] in pairs().filter(|pair| pair.iter().all(|thing| thing.is_taken())) {
        let under_gate: [fn(&Things, [Thing; 2]); 2] =
            [|things, owed| gated(things, owed, ab), |things, owed| gated(things, owed, ba)];
        let explored = on_two_cpus(&V6_12_117_RT, [a, b], under_gate);
        let names = [a.name(0), b.name(1)];
        let found = verdict(&explored, [&names[0], &names[1]]);
        let gate = [Guard::Gate("gate".into())].into();
        assert_eq!(found, Some(&Verdict::Refuted(gate)), "{names:?}");
        assert_eq!(explored.cycles.len(), explored.refuted().count(), "{names:?}");
    }
}

/// What is owed from the beginning is not guarded by a lock: its owner may have to wait for that.
#[test]
fn a_lock_held_on_both_sides_is_no_guard_of_what_is_owed() {
    let under_gate: [fn(&Things, [Thing; 2]); 2] =
        [|things, owed| gated(things, owed, ab), |things, owed| gated(things, owed, ba)];
    for owed in [Work, Thing::Completion] {
        let explored = on_two_cpus(&V6_12_117_RT, [owed, Folio], under_gate);
        let found = verdict(&explored, ["gate", &owed.name(0)]);
        assert!(matches!(found, Some(Verdict::Real(_))), "{owed:?}: {:?}", explored.cycles);
    }
}

#[test]
fn a_trylock_on_the_closing_edge_refutes_the_cycle() {
    for a in [Folio, Buffer, Spin, Thing::Mutex, Rwsem] {
        for b in ALL.into_iter().filter(|b| *b != Rcu) {
            let tries: fn(&Things, [Thing; 2]) = |things, [a, b]| {
                things.hold(b, 1);
                things.attempt(a, 0);
                things.let_go(b, 1);
            };
            let explored = on_two_cpus(&V6_12_117_RT, [a, b], [ab, tries]);
            let names = [a.name(0), b.name(1)];
            let found = verdict(&explored, [&names[0], &names[1]]);
            let Some(Verdict::Refuted(guards)) = found else { panic!("{names:?}: {found:?}") };
            let is_try = |guard: &Guard| matches!(guard, Guard::TryLock(_));
            assert!(guards.iter().any(is_try), "{names:?}: {guards:?}");
        }
    }
}

/// Readers do not exclude each other, unless a writer waits between them: then the reader behind it
/// waits for the one before.
#[test]
fn readers_deadlock_only_with_a_writer_between_them() {
    let reads: fn(&Things, [Thing; 2]) = |things, _| {
        let cpus = &things.kernel.cpus;
        down_read(cpus, &things.rwsems[0]);
        things.hold(Thing::Mutex, 1);
        things.let_go(Thing::Mutex, 1);
        up_read(&things.rwsems[0]);
    };
    let reads_within: fn(&Things, [Thing; 2]) = |things, _| {
        let cpus = &things.kernel.cpus;
        things.hold(Thing::Mutex, 1);
        down_read(cpus, &things.rwsems[0]);
        up_read(&things.rwsems[0]);
        things.let_go(Thing::Mutex, 1);
    };
    let explored = explore_two([reads, reads_within]);
    let found = verdict(&explored, ["rwsem[0]", "mutex[1]"]);
    assert_eq!(found, Some(&Verdict::Refuted([Guard::HappensBefore].into())));
    let writes_within: fn(&Things, [Thing; 2]) = |things, _| {
        things.hold(Thing::Mutex, 1);
        things.wait(Rwsem, 0);
        things.let_go(Thing::Mutex, 1);
    };
    let explored = explore_two([reads, writes_within]);
    let found = verdict(&explored, ["rwsem[0]", "mutex[1]"]);
    assert!(matches!(found, Some(Verdict::Real(_))), "{:?}", explored.cycles);
    // The same reader twice, and a writer that queues in between.
    let twice: fn(&Things, [Thing; 2]) = |things, _| {
        let cpus = &things.kernel.cpus;
        down_read(cpus, &things.rwsems[0]);
        down_read(cpus, &things.rwsems[0]);
        up_read(&things.rwsems[0]);
        up_read(&things.rwsems[0]);
    };
    assert_eq!(real(&explore_two([twice, |_, _| {}])), Vec::<Vec<&str>>::new());
    assert_eq!(real(&explore_two([twice, |things, _| things.wait(Rwsem, 0)])), [["rwsem[0]"]]);
}

fn explore_two(bodies: [fn(&Things, [Thing; 2]); 2]) -> Explored {
    on_two_cpus(&V6_12_117, [Spin, Spin], bodies)
}

const SPINS: [&str; 2] = ["spin[0]", "spin[1]"];

/// lockdep knows classes: two locks of one class, taken in the order of their addresses, are a
/// recursion to it unless somebody says `_nested()`.
#[test]
fn locks_of_one_class_in_one_order_are_no_cycle() {
    let explored = explore_two([ab, ab]);
    assert_eq!(explored.cycles, []);
}

/// lockdep does not know that a task is one task.
#[test]
fn one_task_that_takes_two_locks_both_ways_is_refuted() {
    let both: fn(&Things, [Thing; 2]) = |things, owed| {
        ab(things, owed);
        ba(things, owed);
    };
    let explored = explore_two([both, |_, _| {}]);
    let one = [Guard::OneTask("CPU0 task0".into())].into();
    assert_eq!(verdict(&explored, SPINS), Some(&Verdict::Refuted(one)));
}

/// lockdep does not know that what an initialisation does is over before others begin.
#[test]
fn tasks_that_never_run_together_are_refuted_by_their_order() {
    let program = || {
        let things = Things::new(&V6_12_117);
        for (cpu, body) in [ab, ba].into_iter().enumerate() {
            let shared = things.clone();
            let name = format!("task{cpu}");
            join(things.kernel.task(cpu, &name, move |_| body(&shared, [Spin, Spin])));
        }
    };
    let explored = explore_body(Arc::new(program), &Bounds::PROOF);
    let order = [Guard::Order("CPU0 task0".into(), "CPU1 task1".into())].into();
    assert_eq!(verdict(&explored, SPINS), Some(&Verdict::Refuted(order)));
}

/// lockdep does not know flags.
#[test]
fn what_a_flag_orders_is_refuted_by_exploration() {
    let explored = explore_two([
        |things, owed| {
            ab(things, owed);
            smp_store_release(&things.flag, 1);
        },
        |things, owed| {
            if smp_load_acquire(&things.flag) != 0 {
                ba(things, owed);
            }
        },
    ]);
    let flag = [Guard::HappensBefore].into();
    assert_eq!(verdict(&explored, SPINS), Some(&Verdict::Refuted(flag)));
    // And without the flag it is real.
    let explored = explore_two([ab, ba]);
    assert!(matches!(verdict(&explored, SPINS), Some(Verdict::Real(_))));
}

/// What a search that was cut short has not refuted is possible.
#[test]
fn a_search_that_is_cut_short_refutes_nothing() {
    let program = || {
        let things = Things::new(&V6_12_117);
        let tasks = [ab, ba].into_iter().enumerate().map(|(cpu, body)| {
            let shared = things.clone();
            let run = move |_: &Kernel| gated(&shared, [Spin, Spin], body);
            things.kernel.task(cpu, &format!("task{cpu}"), run)
        });
        tasks.collect::<Vec<_>>().into_iter().for_each(join);
    };
    let bounds = Bounds { executions_max: 1, ..Bounds::PROOF };
    let explored = explore_body(Arc::new(program), &bounds);
    let Some(Verdict::Possible(why)) = verdict(&explored, SPINS) else {
        panic!("{:?}", explored.cycles)
    };
    assert_eq!(
        why,
        "the scenario was left after 1 executions, by the limit of 1 executions; what was seen of \
         it is guarded"
    );
}

#[test]
fn a_lock_that_its_holder_takes_again_is_a_cycle_of_one() {
    let twice: fn(&Things, [Thing; 2]) = |things, _| {
        things.hold(Folio, 0);
        things.wait(Folio, 0);
        things.let_go(Folio, 0);
    };
    let explored = explore_two([twice, |_, _| {}]);
    let [one] = &explored.cycles[..] else { panic!("{:?}", explored.cycles) };
    assert_eq!(explored.graph.name(one.cycle[0]), "PG_locked of folio0");
    assert!(matches!(one.verdict, Verdict::Real(_)));
    let in_reader: fn(&Things, [Thing; 2]) = |things, _| {
        things.hold(Rcu, 0);
        things.wait(Rcu, 0);
        things.let_go(Rcu, 0);
    };
    let explored = on_two_cpus(&V6_12_117_RT, [Rcu, Rcu], [in_reader, |_, _| {}]);
    let [one] = &explored.cycles[..] else { panic!("{:?}", explored.cycles) };
    assert_eq!(explored.graph.name(one.cycle[0]), "cpu0:local lock");
    assert!(matches!(one.verdict, Verdict::Real(_)));
}

/// The names of the nodes of each cycle that is real.
fn real(explored: &Explored) -> Vec<Vec<&str>> {
    let is_real = |judged: &&Judged| matches!(judged.verdict, Verdict::Real(_));
    let name = |id: &_| explored.graph.name(*id);
    let names = |judged: &Judged| judged.cycle.iter().map(name).collect();
    explored.cycles.iter().filter(is_real).map(names).collect()
}

/// A task on CPU0 takes the lock as it likes, and an interrupt on this CPU takes it.
fn interrupted(cpu: usize, body: fn(&Things)) -> Explored {
    let program = move || {
        let things = Things::new(&V6_12_117);
        let shared = things.clone();
        let k = &things.kernel;
        let task = k.task(0, "task", move |_| body(&shared));
        let shared = things.clone();
        let handler = move |k: &Kernel| {
            spin_lock(&k.cpus, &shared.spins[0]);
            spin_unlock(&k.cpus, &shared.spins[0]);
        };
        join(k.interrupt(cpu, "interrupt", handler));
        join(task);
    };
    explore_body(Arc::new(program), &Bounds::PROOF)
}

#[test]
fn a_lock_of_an_interrupt_that_is_taken_with_interrupts_on_is_a_deadlock() {
    let with_interrupts_on: fn(&Things) = |things| {
        things.hold(Spin, 0);
        things.let_go(Spin, 0);
    };
    let with_interrupts_off: fn(&Things) = |things| {
        spin_lock_irqsave(&things.kernel.cpus, &things.spins[0]);
        spin_unlock_irqrestore(&things.kernel.cpus, &things.spins[0]);
    };
    assert_eq!(real(&interrupted(0, with_interrupts_on)), [["spin[0]", "an interrupt on CPU0"]]);
    assert_eq!(interrupted(0, with_interrupts_off).cycles, []);
    assert_eq!(interrupted(1, with_interrupts_on).cycles, [], "it is another CPU's");
    // lockdep does not ask on which CPU an interrupt may come.
    let inverted = |explored: &Explored| {
        let contexts = explored.graph.contexts.values();
        contexts.filter(|contexts| contexts.inversion().is_some()).count()
    };
    assert_eq!(inverted(&interrupted(1, with_interrupts_on)), 1);
    assert_eq!(inverted(&interrupted(1, with_interrupts_off)), 0);
}

/// smp_call_function() under a lock that the other CPU wants with interrupts off.
#[test]
fn an_ipi_under_a_lock_that_is_wanted_with_interrupts_off_is_a_deadlock() {
    let calls: fn(&Things, [Thing; 2]) = |things, _| {
        things.hold(Spin, 0);
        on_each_cpu_cond(&things.kernel.cpus, |cpu| cpu == 1, || {});
        things.let_go(Spin, 0);
    };
    let explored = explore_two([calls, |things, _| {
        spin_lock_irqsave(&things.kernel.cpus, &things.spins[0]);
        spin_unlock_irqrestore(&things.kernel.cpus, &things.spins[0]);
    }]);
    assert_eq!(real(&explored), [["interrupts off on CPU1", "spin[0]", "end of ipi/1"]]);
    let explored = explore_two([calls, ab]);
    assert_eq!(real(&explored), Vec::<Vec<&str>>::new(), "with interrupts on it answers");
}

/// An execution that is passed over, since one like it was read, would have added nothing.
#[test]
fn executions_that_are_alike_add_nothing_to_the_graph() {
    let of = |graph: &LockGraph| {
        let edges: Vec<_> = (graph.edges.iter())
            .map(|(edge, uses)| {
                let use_of = |used: &Use| Use { held_at: 0, waits_at: 0, ..used.clone() };
                (*edge, uses.iter().map(use_of).collect::<BTreeSet<_>>())
            })
            .collect();
        let reached: Vec<_> = graph.reached.keys().cloned().collect();
        (edges, reached, graph.contexts.clone(), (graph.ended_by.clone(), graph.gave_up.clone()))
    };
    let mut asked = 0;
    for tree in [&V6_12_117, &V6_3_RC1] {
        for scenario in lock_order::scenarios(tree) {
            let gather = |reads_all: bool| {
                let graph = Arc::default();
                let locks = Locks::into(&graph);
                let locks = if reads_all { locks.reading_all() } else { locks };
                let body =
                    Arc::new(move || scenario.play(&Run::new(Kernel::new(tree, scenario.machine))));
                let bounds = Bounds {
                    executions_max: 300,
                    keep_going: true,
                    as_found: true,
                    ..Bounds::PROOF
                };
                explore(Engine::Dpor, &bounds, vec![Box::new(locks)], body);
                let graph: std::sync::MutexGuard<'_, LockGraph> =
                    graph.lock().expect("not poisoned");
                of(&graph)
            };
            assert_eq!(gather(false), gather(true), "{} in {}", scenario.name, tree.name);
            asked += 1;
        }
    }
    assert!(asked > 100, "{asked} scenarios");
}

/// Who looks changes nothing of what is explored.
#[test]
fn monitors_change_no_execution() {
    let scenarios = lock_order::scenarios(&V6_12_117).into_iter();
    let some = ["migrate_vs_truncate", "add_and_drain_vs_drain", "two_tasks_lock_a_buffer"];
    let mut asked = 0;
    for scenario in scenarios.filter(|scenario| some.contains(&scenario.name)) {
        let run = |monitors| {
            let kernel = || Kernel::new(&V6_12_117, scenario.machine);
            let body = Arc::new(move || scenario.play(&Run::new(kernel())));
            explore(Engine::Dpor, &Bounds::PROOF, monitors, body).executions
        };
        let alone = run(Vec::new());
        assert!(alone > 1, "{}", scenario.name);
        assert_eq!(run(standard()), alone, "{}", scenario.name);
        assert_eq!(run(vec![Box::new(Locks::into(&Arc::default()))]), alone, "{}", scenario.name);
        asked += 1;
    }
    assert_eq!(asked, some.len());
}
