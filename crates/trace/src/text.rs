//! How a step, a task and a sentence are spelled; shared by the views.

use unicode_width::UnicodeWidthChar;

use crate::views::{spelled_out, steers};
use crate::{ActionKind, Blocked, Context, Counterexample, Holder, IRQ, PREEMPT, Record};

/// The width that a changelog allows.
pub(crate) const WIDTH: usize = 75;

/// The same, with control characters and what changes the direction of a line spelled out: the text
/// may come from a file of anybody's, and goes to a terminal.
pub(crate) fn printable(cx: &Counterexample) -> Counterexample {
    let mut cx = cx.clone();
    let heads = [&mut cx.rule, &mut cx.message, &mut cx.claim, &mut cx.tree, &mut cx.scenario];
    for text in heads.into_iter().chain([&mut cx.engine, &mut cx.memory_model]) {
        spell_out(text);
    }
    cx.tasks.iter_mut().for_each(|task| spell_out(&mut task.name));
    let mut passing = cx.explanation.as_mut().and_then(|why| why.passing.as_mut());
    if let Some(passing) = &mut passing {
        passing.tasks.iter_mut().for_each(|task| spell_out(&mut task.name));
    }
    let other_steps = passing.into_iter().flat_map(|passing| &mut passing.steps);
    for step in cx.steps.iter_mut().chain(other_steps) {
        let bit = step.bit.iter_mut().map(|bit| &mut bit.name);
        let texts = [&mut step.primitive, &mut step.object, &mut step.detail, &mut step.at];
        texts.into_iter().chain(&mut step.path).chain(bit).for_each(spell_out);
    }
    for blocked in &mut cx.blocked {
        let texts = [&mut blocked.primitive, &mut blocked.object];
        texts.into_iter().chain(&mut blocked.path).for_each(spell_out);
    }
    if let Some(why) = &mut cx.explanation {
        spell_out(&mut why.sentence);
        why.alternatives.iter_mut().flatten().for_each(spell_out);
        why.limits.iter_mut().for_each(spell_out);
    }
    for holder in &mut cx.holders {
        [&mut holder.name, &mut holder.since].into_iter().for_each(spell_out);
    }
    cx
}

fn spell_out(text: &mut String) {
    if text.contains(steers) {
        *text = spelled_out(text, &[]);
    }
}

/// Does some modelled CPU execute the task?
pub(crate) fn has_cpu(cx: &Counterexample, task: u8) -> bool {
    cx.tasks.get(usize::from(task)).is_some_and(|task| task.cpu.is_some())
}

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

/// A value of a word. Counters that are below zero are as large as they can be as words; what is
/// larger than any counter of a scenario is flags, in which a reader looks for bits.
pub(crate) fn value(word: u64) -> String {
    const COUNTERS: std::ops::RangeInclusive<i64> = -0xffff..=0xffff;
    match word as i64 {
        count if COUNTERS.contains(&count) => count.to_string(),
        _ => format!("{word:#x}"),
    }
}

/// A step as C would spell it, with the value that it read or left.
pub(crate) fn step(cx: &Counterexample, step: &Record) -> String {
    let primitive = step.primitive.as_str();
    let (object, old, new) = match &step.bit {
        Some(bit) => {
            let of = |word: u64| word.checked_shr(bit.nr).unwrap_or(0) & 1;
            (format!("{}, {}", bit.name, step.object), of(step.old), of(step.new))
        }
        None => (step.object.clone(), step.old, step.new),
    };
    let (object, old, new) = (object.as_str(), value(old), value(new));
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

/// `spin_lock(lru_lock)`. What excludes on one CPU has no argument, `local_irq_disable()`, unless
/// it is another CPU's; what an interrupt handler does to it is its entry or its exit.
fn call(
    action: ActionKind,
    primitive: &str,
    object: &str,
    (cpu, context): (Option<u8>, Context),
) -> String {
    if !excludes_on_a_cpu(object) {
        return format!("{primitive}({object})");
    }
    let of = object.split_once(':').map_or("", |(of, _)| of);
    match context {
        Context::Irq | Context::Softirq if action == ActionKind::Unlock => "</interrupt>".into(),
        Context::Irq | Context::Softirq => "<interrupt>".into(),
        _ if cpu.is_some_and(|cpu| of != format!("cpu{cpu}")) => format!("{primitive} {of}"),
        _ => format!("{primitive}()"),
    }
}

/// Is the object what keeps others off a CPU, rather than one that tasks share?
pub(crate) fn excludes_on_a_cpu(object: &str) -> bool {
    let of = object.split_once(':').map(|(_, exclusion)| exclusion);
    of == Some(PREEMPT.text) || of == Some(IRQ.text)
}

/// What a task that can never go on waits to do.
pub(crate) fn blocked(cx: &Counterexample, blocked: &Blocked) -> String {
    let task = cx.tasks.get(usize::from(blocked.task));
    let (cpu, context) = task.map_or((None, Context::Task), |task| (task.cpu, task.context));
    call(ActionKind::Lock, &blocked.primitive, &blocked.object, (cpu, context))
}

/// `CPU1 user waits in folio_lock() > folio_wait_bit_common() > schedule()`; of what is not called
/// as the function that it is in, what it is: `CPU0 a waits in f(): spin_lock(lru_lock)`.
pub(crate) fn waits(cx: &Counterexample, waits: &Blocked) -> String {
    let who = who(cx, waits.task);
    let within: Vec<String> = waits.path.iter().map(|function| format!("{function}()")).collect();
    let within = within.join(" > ");
    match waits.path.last() {
        Some(function) if *function == waits.primitive => format!("{who} waits in {within}"),
        Some(_) => format!("{who} waits in {within}: {}", blocked(cx, waits)),
        None => format!("{who} waits: {}", blocked(cx, waits)),
    }
}

/// Under which memory model it was found.
pub(crate) fn under(cx: &Counterexample) -> &'static str {
    match cx.memory_model.as_str() {
        "sc" | "" => "under sequential consistency",
        "lkmm" => "under the kernel's memory model",
        _ => "under weak memory",
    }
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
    lines(text, WIDTH)
}

/// Lines of at most so many columns. A word that is longer goes on in the next line.
pub(crate) fn lines(text: &str, width: usize) -> String {
    let mut out = String::new();
    for line in wrap(text, width, width) {
        let mut rest = line.as_str();
        while self::width(rest) > width {
            let (fits, more) = rest.split_at(up_to(rest, width));
            out.push_str(fits);
            out.push('\n');
            rest = more;
        }
        out.push_str(rest);
        out.push('\n');
    }
    out
}

/// How many columns of a terminal the text takes: of a wide character (CJK) two, of one that
/// combines with the one before it none.
pub(crate) fn width(text: &str) -> usize {
    match text.is_ascii() {
        true => text.len(),
        false => text.chars().map(columns).sum(),
    }
}

/// What makes a character before it an emoji may make it wide: it counts as a column, so that no
/// line is too long on any terminal.
fn columns(c: char) -> usize {
    const EMOJI: char = '\u{fe0f}';
    if c == EMOJI { 1 } else { c.width().unwrap_or(1) }
}

/// Up to which byte the text fits in so many columns: at least one character, and with it what
/// combines with it.
fn up_to(text: &str, width: usize) -> usize {
    let mut used = 0;
    let too_wide = text.char_indices().find(|&(at, c)| {
        used += columns(c);
        at > 0 && used > width
    });
    too_wide.map_or(text.len(), |(at, _)| at)
}

/// The text, and blanks behind it up to so many columns.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    format!("{text}{:blanks$}", "", blanks = columns.saturating_sub(width(text)))
}

/// At most so many columns, of which there is at least one: of a name that is longer the middle is
/// left out, since names of the kernel differ at both ends.
pub(crate) fn shortened(text: String, width: usize) -> String {
    let length = self::width(&text);
    if length <= width {
        return text;
    }
    let end = (width - 1) / 2;
    let begin = match width - 1 - end {
        0 => 0,
        begin => up_to(&text, begin),
    };
    // A wide character at the border of either part is left out.
    let begin = if self::width(&text[..begin]) + end < width { begin } else { 0 };
    let mut left = length;
    let behind = text.char_indices().find(|&(_, c)| {
        let fits = left <= end && columns(c) > 0;
        left -= columns(c);
        fits
    });
    let behind = behind.map_or(text.len(), |(at, _)| at);
    format!("{}…{}", &text[..begin], &text[behind..])
}

/// Breaks at blanks; a word that is too long for a line breaks behind a parenthesis, or sticks out.
/// The first line has its own width.
pub(crate) fn wrap(text: &str, first: usize, rest: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word = word;
        loop {
            let room = if lines.len() == 1 { first } else { rest }.max(8);
            let line = lines.last_mut().expect("never empty");
            let used = width(line);
            if used > 0 && used + 1 + width(word) > room {
                lines.push(String::new());
                continue;
            }
            if used > 0 {
                line.push(' ');
            }
            let cut = if used == 0 { cut(word, room) } else { word.len() };
            line.push_str(&word[..cut]);
            word = &word[cut..];
            if word.is_empty() {
                break;
            }
            lines.push(String::new());
        }
    }
    lines
}

/// Up to where a word goes into an empty line: all of it, or behind its last parenthesis that fits,
/// or behind its first. `f()` is not broken.
fn cut(word: &str, room: usize) -> usize {
    if width(word) <= room {
        return word.len();
    }
    let behind = |(at, _): (usize, &str)| at + 1;
    let breaks = || word.match_indices('(').map(behind).filter(|&at| !word[at..].starts_with(')'));
    let fits = |&at: &usize| width(&word[..at]) <= room;
    breaks().take_while(fits).last().or_else(|| breaks().next()).unwrap_or(word.len())
}
