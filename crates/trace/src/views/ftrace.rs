//! As ftrace would have recorded it: one line for each step, with the kernel's own events where it
//! has one, so that who reads traces can grep this one.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::held::Later;
use crate::text;
use crate::{ActionKind, Context, Counterexample, Record};

/// The lines, and above them the head that `trace-cmd report` and the tracing directory print. A
/// step takes a microsecond.
pub fn ftrace(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let cpus =
        cx.tasks.iter().filter_map(|task| task.cpu).max().map_or(1, |cpu| u32::from(cpu) + 1);
    let count = cx.steps.iter().filter(|step| !step.action.is_note()).count();
    let mut out = format!(
        "# tracer: nop\n#\n# entries-in-buffer/entries-written: {count}/{count}   #P:{cpus}\n#\n\
         #           TASK-PID     CPU#  irqs  TIMESTAMP  FUNCTION\n\
         #              | |         |    |       |         |\n"
    );
    let later = Later::new(cx);
    let mut flags = Flags::default();
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
        let (comm, pid) = (comm(cx, step.task), step.task);
        let cpu = if step.cpu == u8::MAX { 0 } else { step.cpu };
        let seen = flags.of(step);
        flags.after(step);
        let function = step.path.last().map_or("selvedge", String::as_str);
        let event = event(cx, &later, at, step);
        // Writing to a string cannot fail; so below.
        let _ = writeln!(
            out,
            "{comm:>16}-{pid:<7} [{cpu:03}] {seen} {:5}.{:06}: {function}: {event}",
            at / 1_000_000,
            at % 1_000_000,
        );
    }
    let at = cx.steps.len();
    let _ = writeln!(out, "# {}.{:06}: broken: {}", at / 1_000_000, at % 1_000_000, cx.rule);
    out
}

/// At most 15 characters without blanks, as the kernel has it.
fn comm(cx: &Counterexample, task: u8) -> String {
    let name = cx.tasks.get(usize::from(task)).map_or("?", |task| task.name.as_str());
    name.chars().map(|c| if c.is_whitespace() { '_' } else { c }).take(15).collect()
}

fn event(cx: &Counterexample, later: &Later<'_>, at: usize, step: &Record) -> String {
    let Record { object, primitive, .. } = step;
    let is_shared = !text::excludes_on_a_cpu(object);
    match step.action {
        ActionKind::Lock | ActionKind::TryLock if is_shared => {
            let how = if step.action == ActionKind::TryLock { "try " } else { "" };
            format!("lock_acquire: {how}{object} ({primitive})")
        }
        ActionKind::LockShared => format!("lock_acquire: read {object} ({primitive})"),
        ActionKind::TryLockShared => format!("lock_acquire: try read {object} ({primitive})"),
        ActionKind::UnlockShared => format!("lock_release: {object} ({primitive})"),
        ActionKind::Unlock if is_shared => format!("lock_release: {object} ({primitive})"),
        ActionKind::TryLockFailed => format!("contention_begin: {object} ({primitive})"),
        ActionKind::Wake => match later.woken(at) {
            Some(task) => format!(
                "sched_waking: comm={} pid={task} prio=120 target_cpu={:03} ({primitive})",
                comm(cx, task),
                cx.tasks.get(usize::from(task)).and_then(|task| task.cpu).unwrap_or(0)
            ),
            None => format!("selvedge_wake: {primitive}({object})"),
        },
        ActionKind::Wait => format!("sched_switch: woken from {object} ({primitive})"),
        _ => format!("selvedge_step: {}", text::step(cx, step)),
    }
}

/// The flags of a line: interrupts off, need-resched, in which context, how often preemption is
/// off.
#[derive(Default)]
struct Flags {
    irqs_off: BTreeMap<String, u32>,
    preempt_off: BTreeMap<String, u32>,
}

impl Flags {
    fn of(&self, step: &Record) -> String {
        let depth = |of: &BTreeMap<String, u32>, what: &str| {
            of.get(&format!("cpu{}:{what}", step.cpu)).copied().unwrap_or(0)
        };
        let irqs = if depth(&self.irqs_off, "cpu.irq") > 0 { 'd' } else { '.' };
        let context = match step.context {
            Context::Irq => 'h',
            Context::Softirq => 's',
            Context::Task | Context::Kworker => '.',
        };
        let preempt = match depth(&self.preempt_off, "cpu.preempt") {
            0 => ".".into(),
            depth => format!("{depth:x}"),
        };
        format!("{irqs}.{context}{preempt}")
    }

    fn after(&mut self, step: &Record) {
        let of = match step.object.split_once(':').map(|(_, what)| what) {
            Some("cpu.irq") => &mut self.irqs_off,
            Some("cpu.preempt") => &mut self.preempt_off,
            _ => return,
        };
        let depth = of.entry(step.object.clone()).or_default();
        match step.action {
            ActionKind::Lock => *depth += 1,
            ActionKind::Unlock => *depth = depth.saturating_sub(1),
            _ => {}
        }
    }
}
