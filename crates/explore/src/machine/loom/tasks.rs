//! Tasks and choices on loom.

use std::rc::Rc;

use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread::JoinHandle;

use super::{THREADS_MAX, unable, with};
use crate::machine::{Start, run_task};
use crate::record;
use crate::step::Took;

/// The tasks of an execution.
#[derive(Default)]
pub(super) struct Tasks {
    handles: Vec<Option<JoinHandle<()>>>,
    /// Tasks that have released a lock that orders others, a bit each.
    released: u32,
    /// See [`choose`].
    choices: Vec<Rc<AtomicU64>>,
    choices_made: usize,
    choices_open: bool,
}

impl Tasks {
    pub(super) fn has_released(&self, task: usize) -> bool {
        self.released & 1 << task != 0
    }

    pub(super) fn releases(&mut self, task: usize) {
        self.released |= 1 << task;
    }
}

/// Starts a loom thread.
pub(super) fn start(me: usize, task: Start<'_>) -> Took {
    let Start { name, place, body } = task;
    let task = record::with(|record| record.add_task(name, place, me));
    if task >= THREADS_MAX {
        unable(format!("loom's limit of {THREADS_MAX} threads"));
    }
    let handle = loom::thread::spawn(move || {
        // A thread whose first step is a load ends loom's search after one execution (#392).
        AtomicU64::new(0).fetch_add(1, Relaxed);
        run_task(task, body);
    });
    with(|state| {
        state.tasks.handles.resize_with(task + 1, || None);
        state.tasks.handles[task] = Some(handle);
    });
    Took::gave(task as u64)
}

/// Waits for a loom thread.
pub(super) fn join(me: usize, task: usize) -> Took {
    if me == 0 {
        open_choices();
    }
    let handle = with(|state| state.tasks.handles[task].take());
    let handle = handle.expect("a task is joined once");
    // A panic of the thread has ended the search already; it does not come out here.
    let _ = handle.join();
    Took::gave(task as u64)
}

/// loom has no choice. Main stores 1 to a cell while the tasks run; a relaxed load sees it or not.
pub(super) fn choose(me: usize, alternatives: u32) -> Took {
    assert!(me != 0, "under loom the scenario's main may not choose");
    let mut chosen = 0;
    let mut reach = 1;
    while reach < alternatives {
        chosen = 2 * chosen + u32::from(choose_bit());
        reach *= 2;
    }
    Took::gave(u64::from(chosen.min(alternatives - 1)))
}

fn choose_bit() -> bool {
    let cell = with(|state| {
        let tasks = &mut state.tasks;
        tasks.choices_made += 1;
        tasks.choices.get(tasks.choices_made - 1).cloned()
    });
    let Some(cell) = cell else {
        unable("more choices than `loom_choices` allows under loom".into());
    };
    cell.load(Relaxed) == 1
}

fn open_choices() {
    let cells = with(|state| {
        let is_open = std::mem::replace(&mut state.tasks.choices_open, true);
        if is_open { Vec::new() } else { state.tasks.choices.clone() }
    });
    for cell in cells {
        cell.store(1, Relaxed);
    }
}

/// Makes the cells for [`choose`]. Only a scenario that chooses pays for them.
pub(super) fn prepare_choices(count: usize) {
    let cells = (0..count).map(|_| Rc::new(AtomicU64::new(0))).collect();
    with(|state| state.tasks.choices = cells);
}
