//! How a step, a task and a sentence are spelled; shared by the views.

use crate::{ActionKind, Blocked, Context, Counterexample, Holder, IRQ, PREEMPT, Record};

/// The width that a changelog allows.
pub(crate) const WIDTH: usize = 75;

/// `CPU0 migrator`.
pub(crate) fn who(cx: &Counterexample, task: u8) -> String {
    match cx.tasks.get(usize::from(task)) {
        Some(column) => match column.cpu {
            Some(cpu) => format!("CPU{cpu} {}", column.name),
            None => column.name.clone(),
        },
        None => format!("task {task}"),
    }
}

/// A step as C would spell it, with the value that it read or left.
pub(crate) fn step(cx: &Counterexample, step: &Record) -> String {
    let primitive = step.primitive.as_str();
    let (object, old, new) = match &step.bit {
        Some(bit) => {
            let of = |word: u64| (word >> bit.nr) & 1;
            (format!("{}, {}", bit.name, step.object), of(step.old), of(step.new))
        }
        None => (step.object.clone(), step.old, step.new),
    };
    let object = object.as_str();
    let stale = if step.stale { " (stale)" } else { "" };
    match step.action {
        ActionKind::PlainRead => format!("{object} is {old}{stale}"),
        ActionKind::PlainWrite => format!("{object} = {new}"),
        ActionKind::Read => format!("{primitive}({object}) -> {old}{stale}"),
        ActionKind::Write => format!("{primitive}({object}, {new})"),
        ActionKind::Update => format!("{primitive}({object}): {old} -> {new}"),
        ActionKind::UpdateFailed => format!("{primitive}({object}): {old}, unchanged{stale}"),
        ActionKind::TryLockFailed => format!("{primitive}({object}): held"),
        ActionKind::Fence => format!("{primitive}()"),
        ActionKind::Spawn => format!("starts {}", other(cx, step.new)),
        ActionKind::Join => format!("waited for {}", other(cx, step.new)),
        ActionKind::Choice => format!("{primitive}: {}", step.new),
        action => call(action, primitive, object, (Some(step.cpu), step.context)),
    }
}

fn other(cx: &Counterexample, task: u64) -> String {
    u8::try_from(task).map_or_else(|_| format!("task {task}"), |task| who(cx, task))
}

/// `spin_lock(lru_lock)`. What excludes on one CPU has no argument, `local_irq_disable()`, unless it
/// is another CPU's; what an interrupt handler does to it is its entry or its exit.
fn call(
    action: ActionKind,
    primitive: &str,
    object: &str,
    (cpu, context): (Option<u8>, Context),
) -> String {
    let Some((of, exclusion)) = object.split_once(':') else {
        return format!("{primitive}({object})");
    };
    if exclusion != PREEMPT.text && exclusion != IRQ.text {
        return format!("{primitive}({object})");
    }
    match context {
        Context::Irq | Context::Softirq if action == ActionKind::Unlock => "</interrupt>".into(),
        Context::Irq | Context::Softirq => "<interrupt>".into(),
        _ if cpu.is_some_and(|cpu| of != format!("cpu{cpu}")) => format!("{primitive} {of}"),
        _ => format!("{primitive}()"),
    }
}

/// What a task that can never go on waits to do.
pub(crate) fn blocked(cx: &Counterexample, blocked: &Blocked) -> String {
    let task = cx.tasks.get(usize::from(blocked.task));
    let (cpu, context) = task.map_or((None, Context::Task), |task| (task.cpu, task.context));
    call(ActionKind::Lock, &blocked.primitive, &blocked.object, (cpu, context))
}

/// `references: page cache; cpu0:lru_activate batch, since folio_activate() of CPU0 user`.
pub(crate) fn references(cx: &Counterexample) -> Option<String> {
    let one = |holder: &Holder| {
        let count =
            if holder.references > 1 { format!(" ({})", holder.references) } else { String::new() };
        let since = match holder.step.and_then(|step| cx.steps.get(step)) {
            Some(step) => {
                let number = holder.step.unwrap_or_default();
                format!(", since {}() of {} at step {number}", holder.since, who(cx, step.task))
            }
            None => String::new(),
        };
        format!("{}{count}{since}", holder.name)
    };
    let all: Vec<String> = cx.holders.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("References are held by: {}.", all.join("; ")))
}

/// Without the full stop at the end, if there is one.
pub(crate) fn sentence(text: &str) -> &str {
    text.trim_end_matches('.')
}

/// Lines of at most [`WIDTH`] columns.
pub(crate) fn paragraph(text: &str) -> String {
    wrap(text, WIDTH, WIDTH).join("\n") + "\n"
}

/// Breaks at blanks, or within a word that is too long; the first line has its own width.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word;
        loop {
            let room = if lines.len() == 1 { first } else { rest }.max(8);
            let line = lines.last_mut().expect("never empty");
            let used = line.chars().count();
            let gap = usize::from(used > 0);
            if used + gap + word.chars().count() <= room {
                if used > 0 {
                    line.push(' ');
                }
                line.push_str(word);
                break;
            }
            if used == 0 {
                let full = word.char_indices().nth(room).map_or(word.len(), |(at, _)| at);
                let cut = word[..full].rfind('(').map_or(full, |at| at + 1);
                line.push_str(&word[..cut]);
                word = &word[cut..];
            }
            lines.push(String::new());
        }
    }
    lines
}
