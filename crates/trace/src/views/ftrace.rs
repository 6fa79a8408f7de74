//! As ftrace would have recorded it, with the function tracer and the kernel's own events
//! (`lock_acquire`, `lock_release`, `sched_waking`) on: what reads or greps traces reads this one.
//! A step that the kernel has no event for is written as trace_printk() does, behind the name of
//! its function.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::held::Later;
use crate::text;
use crate::{ActionKind, Context, Counterexample, Record};

/// The lines, and above them the head that the tracing directory prints. A step takes a
/// microsecond.
pub fn ftrace(cx: &Counterexample) -> String {
    let cx = &text::printable(cx);
    let mut trace = Trace {
        cx,
        later: Later::new(cx),
        flags: Flags::default(),
        nests: vec![&[][..]; cx.tasks.len()],
        objects: BTreeMap::new(),
        lines: Vec::new(),
    };
    for (at, step) in cx.steps.iter().enumerate().filter(|(_, step)| !step.action.is_note()) {
        trace.step(at, step);
    }
    let cpus = cx.tasks.iter().filter_map(|task| task.cpu).max();
    let mut out = head(trace.lines.len(), cpus.map_or(1, |cpu| u32::from(cpu) + 1));
    trace.lines.iter().for_each(|line| out.push_str(line));
    for waits in cx.blocked.iter().filter(|waits| text::has_cpu(cx, waits.task)) {
        let (who, what) = (text::who(cx, waits.task), text::blocked(cx, waits));
        // Writing to a string cannot fail; so below.
        let _ = writeln!(out, "# {who} waits for ever: {what}");
    }
    let _ = writeln!(out, "# {}: broken: {}", time(cx.steps.len()), cx.rule);
    out
}

fn head(lines: usize, cpus: u32) -> String {
    format!(
        "# tracer: function\n#\n# entries-in-buffer/entries-written: {lines}/{lines}   #P:{cpus}\n\
         #\n\
         #                                _-----=> irqs-off/BH-disabled\n\
         #                               / _----=> need-resched\n\
         #                              | / _---=> hardirq/softirq\n\
         #                              || / _--=> preempt-depth\n\
         #                              ||| / _-=> migrate-disable\n\
         #                              |||| /     delay\n\
         #           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION\n\
         #              | |         |   |||||     |         |\n"
    )
}

fn time(at: usize) -> String {
    format!("{:5}.{:06}", at / 1_000_000, at % 1_000_000)
}

struct Trace<'a> {
    cx: &'a Counterexample,
    later: Later<'a>,
    flags: Flags,
    /// The nest of functions that each task is in.
    nests: Vec<&'a [String]>,
    /// A number for each object, in place of its address.
    objects: BTreeMap<&'a str, usize>,
    lines: Vec<String>,
}

impl<'a> Trace<'a> {
    fn step(&mut self, at: usize, step: &'a Record) {
        let nest = std::mem::replace(&mut self.nests[usize::from(step.task)], step.path.as_slice());
        let shared = nest.iter().zip(&step.path).take_while(|(a, b)| a == b).count();
        for depth in shared..step.path.len() {
            let caller = depth.checked_sub(1).map_or("selvedge", |above| step.path[above].as_str());
            self.line(at, step, &format!("{} <-{caller}", step.path[depth]));
        }
        let event = self.event(at, step);
        self.line(at, step, &event);
        self.flags.after(step);
    }

    fn line(&mut self, at: usize, step: &Record, what: &str) {
        let (comm, pid) = (comm(self.cx, step.task), step.task);
        let cpu = if step.cpu == u8::MAX { 0 } else { step.cpu };
        let (seen, time) = (self.flags.of(step), time(at));
        self.lines.push(format!("{comm:>16}-{pid:<7} [{cpu:03}] {seen} {time}: {what}\n"));
    }

    fn event(&mut self, at: usize, step: &'a Record) -> String {
        let (cx, object) = (self.cx, step.object.as_str());
        let is_shared = !text::excludes_on_a_cpu(object);
        match step.action {
            ActionKind::Lock if is_shared => self.lock("acquire", "", object),
            ActionKind::TryLock if is_shared => self.lock("acquire", "try ", object),
            ActionKind::LockShared => self.lock("acquire", "read ", object),
            ActionKind::TryLockShared => self.lock("acquire", "try read ", object),
            ActionKind::Unlock if is_shared => self.lock("release", "", object),
            ActionKind::UnlockShared => self.lock("release", "", object),
            ActionKind::Wake => match self.later.woken(at) {
                Some(task) => format!(
                    "sched_waking: comm={} pid={task} prio=120 target_cpu={:03}",
                    comm(cx, task),
                    cx.tasks.get(usize::from(task)).and_then(|task| task.cpu).unwrap_or(0)
                ),
                None => printed(cx, step),
            },
            _ => printed(cx, step),
        }
    }

    /// `lock_acquire: 0000000000000002 try lru_lock`
    fn lock(&mut self, what: &str, how: &str, object: &'a str) -> String {
        let next = self.objects.len() + 1;
        let address = *self.objects.entry(object).or_insert(next);
        format!("lock_{what}: {address:016x} {how}{object}")
    }
}

/// As trace_printk() writes: the function, and what it has to say.
fn printed(cx: &Counterexample, step: &Record) -> String {
    let function = step.path.last().map_or("selvedge", String::as_str);
    format!("{function}: {}", text::step(cx, step))
}

/// At most 15 characters without blanks, as the kernel has it.
fn comm(cx: &Counterexample, task: u8) -> String {
    let name = cx.tasks.get(usize::from(task)).map_or("?", |task| task.name.as_str());
    name.chars().map(|c| if c.is_whitespace() { '_' } else { c }).take(15).collect()
}

/// The flags of a line: interrupts off, need-resched, in which context, how often preemption is
/// off, and how often migration, which no model does.
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
        format!("{irqs}.{context}{preempt}.")
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
