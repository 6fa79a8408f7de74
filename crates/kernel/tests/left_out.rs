//! A section that an edit leaves out turns nothing off; a section within it does, until its own
//! end.

use std::sync::Arc;

use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::edits::{Edit, Site, install};
use selvedge_kernel::{
    Cpus, Name, Var, enter, interrupt, irqs_disabled, join, kernel_assert, local_irq_disable,
    local_irq_enable, local_irq_restore, local_irq_save, plain_read, plain_write, preempt_disable,
    preempt_enable, spawn_task,
};

const NO_OUTER: &[Edit] = &[
    Edit::drop_pair(Site::of("local_irq_disable").within("outer")),
    Edit::drop_pair(Site::of("preempt_disable").within("outer")),
];

/// What a task does, where somebody else adds 1 to two variables: `twice` in a section within a
/// section, `once` in the outer one.
struct Section {
    cpus: Cpus,
    once: Var,
    twice: Var,
}

fn add(var: &Var) {
    plain_write(var, plain_read(var) + 1);
}

fn verdict(
    edits: &'static [Edit],
    check: fn(&Section),
    task: fn(&Section),
    starts: fn(&Arc<Section>) -> usize,
) -> Verdict {
    let body = move || {
        install(edits);
        let var = |name| Var::new(Name::new(name), 0);
        let cpus = Cpus::new(1, false);
        let all = Arc::new(Section { cpus, once: var("once"), twice: var("twice") });
        let mine = all.clone();
        let other = starts(&all);
        join(spawn_task(&all.cpus, 0, "task", move || task(&mine)));
        join(other);
        check(&all);
    };
    explore(Engine::Dpor, &Bounds::PROOF, Vec::new(), Arc::new(body)).verdict
}

fn irqs_off_twice(all: &Section) {
    let _in = enter("outer");
    local_irq_disable(&all.cpus);
    {
        let _in = enter("inner");
        local_irq_save(&all.cpus);
        add(&all.twice);
        local_irq_restore(&all.cpus);
    }
    kernel_assert(irqs_disabled(&all.cpus), "it takes itself to have interrupts off");
    add(&all.once);
    local_irq_enable(&all.cpus);
    kernel_assert(!irqs_disabled(&all.cpus), "nothing is left off");
}

fn an_interrupt(all: &Arc<Section>) -> usize {
    let theirs = all.clone();
    interrupt(&all.cpus, 0, "irq", move || {
        add(&theirs.once);
        add(&theirs.twice);
    })
}

fn preempt_off_twice(all: &Section) {
    let _in = enter("outer");
    preempt_disable(&all.cpus);
    {
        let _in = enter("inner");
        preempt_disable(&all.cpus);
        add(&all.twice);
        preempt_enable(&all.cpus);
    }
    add(&all.once);
    preempt_enable(&all.cpus);
}

/// The same task once more: both may be in the outer section at the same time.
fn another(all: &Arc<Section>) -> usize {
    let theirs = all.clone();
    spawn_task(&all.cpus, 0, "other", move || preempt_off_twice(&theirs))
}

#[test]
fn a_section_within_one_that_is_left_out_excludes() {
    let once = |all: &Section| kernel_assert(all.once.peek() == 2, "an addition got lost");
    let twice = |all: &Section| kernel_assert(all.twice.peek() == 2, "an addition got lost");
    for (task, other) in [
        (irqs_off_twice as fn(&Section), an_interrupt as fn(&Arc<Section>) -> usize),
        (preempt_off_twice, another),
    ] {
        assert_eq!(verdict(&[], once, task, other), Verdict::Holds);
        assert_eq!(verdict(&[], twice, task, other), Verdict::Holds);
        assert_eq!(verdict(NO_OUTER, twice, task, other), Verdict::Holds);
        assert_eq!(verdict(NO_OUTER, once, task, other), Verdict::Violated);
    }
}
