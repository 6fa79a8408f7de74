//! Orders of steps that a search asks for. An execution is given up as soon as it cannot be one of
//! those that are looked for, whatever it would do after that.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use selvedge_trace::{Event, PathId, Paths, TaskInfo};

use super::past::{Past, Pasts};

/// A step as it is found again in other executions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// A hash of task, functions, primitive and object.
    pub(crate) what: u64,
    /// How many such steps of the task came before.
    pub(crate) nth: u32,
}

/// Hashes what stays of a step from one execution to the next. Function nests have other numbers
/// in each search.
#[derive(Default)]
pub(crate) struct Hashes {
    paths: HashMap<PathId, u64>,
}

impl Hashes {
    pub(crate) fn path(&mut self, paths: &Paths, path: PathId) -> u64 {
        *self.paths.entry(path).or_insert_with(|| hash_of(&paths.functions(path)))
    }

    /// The key of a step, of which so many were counted before in the execution; `None` of a note.
    pub(crate) fn key(
        &mut self,
        paths: &Paths,
        tasks: &[u64],
        event: &Event,
        counts: &mut HashMap<u64, u32>,
    ) -> Option<Key> {
        if event.action.is_note() {
            return None;
        }
        let path = self.path(paths, event.path);
        let task = tasks[usize::from(event.task)];
        let what = hash_of(&(task, path, event.primitive, event.name));
        let count = counts.entry(what).or_default();
        *count += 1;
        Some(Key { what, nth: *count - 1 })
    }
}

pub(crate) fn hash_of(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Each task by its name and CPU, and its number among those that have these.
pub(crate) fn tasks_of(infos: &[TaskInfo]) -> Vec<u64> {
    let mut counts: BTreeMap<(&str, Option<u8>), u32> = BTreeMap::new();
    (infos.iter())
        .map(|task| {
            let count = counts.entry((&task.name, task.cpu)).or_default();
            *count += 1;
            hash_of(&(&task.name, task.cpu, *count))
        })
        .collect()
}

/// What is asked about one step or two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// The one comes before the other; places in the list of keys.
    Before(usize, usize),
    /// The step chooses this.
    Chooses(usize, u64),
}

/// The orders that are asked for.
pub(crate) struct Asked {
    orders: Vec<Order>,
    /// All are to be kept, if there are no sets; if there are, one of each set is to be broken.
    sets: Vec<Range<usize>>,
    places: HashMap<Key, usize>,
    hashes: Hashes,
    /// Of the tasks of the execution so far.
    tasks: Vec<u64>,
    counts: HashMap<u64, u32>,
    pasts: Pasts,
    /// The pasts of the steps that have happened, by place.
    happened: Vec<Option<Past>>,
    /// Which orders are kept, whatever happens next.
    kept: Vec<bool>,
    is_broken: bool,
}

impl Asked {
    /// Asks for executions that keep all of these orders.
    pub(crate) fn all(orders: Vec<Order>, places: HashMap<Key, usize>) -> Asked {
        Asked::new(orders, Vec::new(), places)
    }

    /// Asks for executions that keep none of these sets of orders as a whole.
    pub(crate) fn none(sets: Vec<Vec<Order>>, places: HashMap<Key, usize>) -> Asked {
        let mut end = 0;
        let range = |set: &Vec<Order>| {
            end += set.len();
            end - set.len()..end
        };
        let ranges = sets.iter().map(range).collect();
        Asked::new(sets.concat(), ranges, places)
    }

    fn new(orders: Vec<Order>, sets: Vec<Range<usize>>, places: HashMap<Key, usize>) -> Asked {
        Asked {
            kept: vec![false; orders.len()],
            happened: vec![None; places.len()],
            orders,
            sets,
            places,
            hashes: Hashes::default(),
            tasks: Vec::new(),
            counts: HashMap::new(),
            pasts: Pasts::default(),
            is_broken: false,
        }
    }

    pub(super) fn forget(&mut self) {
        self.tasks.clear();
        self.counts.clear();
        self.pasts = Pasts::default();
        self.happened.fill(None);
        self.kept.fill(false);
        self.is_broken = false;
    }

    pub(super) fn is_astray(&self) -> bool {
        let is_kept = |set: &Range<usize>| self.kept[set.clone()].iter().all(|kept| *kept);
        if self.sets.is_empty() { self.is_broken } else { self.sets.iter().any(is_kept) }
    }

    /// A step was taken. Of two steps of which neither is in the past of the other the order says
    /// nothing: another execution, which is not run, has them the other way round.
    pub(super) fn took(&mut self, event: &Event, paths: &Paths, infos: &[TaskInfo]) {
        if self.tasks.len() != infos.len() {
            self.tasks = tasks_of(infos);
        }
        let key = self.hashes.key(paths, &self.tasks, event, &mut self.counts);
        let Some(key) = key else { return };
        let past = self.pasts.step(event);
        let Some(&now) = self.places.get(&key) else { return };
        let came = |place: usize| self.happened[place].as_ref().is_some_and(|p| p.is_in(&past));
        for (order, kept) in self.orders.iter().zip(&mut self.kept) {
            match *order {
                Order::Before(one, other) if now == other && one != now => *kept |= came(one),
                Order::Before(one, other) if now == one => self.is_broken |= came(other),
                Order::Chooses(step, alternative) if now == step => {
                    *kept = event.new == alternative;
                    self.is_broken |= !*kept;
                }
                _ => {}
            }
        }
        self.happened[now] = Some(past);
    }
}

#[cfg(test)]
mod tests {
    use selvedge_trace::{Action, Context, Name, Touch};

    use super::*;

    /// Two tasks that write one word.
    fn asked(all: bool, steps: &[u8]) -> bool {
        let infos = [0_u8, 1].map(|cpu| TaskInfo {
            name: format!("task {cpu}"),
            cpu: Some(cpu),
            context: Context::Task,
        });
        let write = |task: u8| Event {
            name: Name::new("x"),
            primitive: "WRITE_ONCE",
            touch: Touch { writes: 1, ..Touch::default() },
            ..Event::of(task, Action::Write, 0)
        };
        let (paths, mut places) = (Paths::default(), HashMap::new());
        let tasks = tasks_of(&infos);
        for task in [0, 1] {
            let mut hashes = Hashes::default();
            let key = hashes.key(&paths, &tasks, &write(task), &mut HashMap::new());
            places.extend(key.map(|key| (key, usize::from(task))));
        }
        let order = vec![Order::Before(0, 1)];
        let mut asked = match all {
            true => Asked::all(order, places),
            false => Asked::none(vec![order], places),
        };
        asked.forget();
        steps.iter().for_each(|&task| asked.took(&write(task), &paths, &infos));
        asked.is_astray()
    }

    #[test]
    fn an_execution_is_astray_once_an_order_is_surely_broken_or_all_are_surely_kept() {
        assert_eq!([&[0][..], &[1], &[0, 1]].map(|steps| asked(true, steps)), [false; 3]);
        assert!(asked(true, &[1, 0]));
        assert_eq!([&[0][..], &[1], &[1, 0]].map(|steps| asked(false, steps)), [false; 3]);
        assert!(asked(false, &[0, 1]));
    }
}
