//! The models beside the kernel's own C: each scenario that both can run is explored completely on
//! both, and what each call of each function did is compared, step by step.
//!
//! Both searches run every trace: whatever the one can do to the other's tasks is tried on both
//! sides, so that the set of what calls of a function did is the same if the functions are. A step
//! is the kind of access, its ordering, the word, and the value; the words and values that the two
//! sides spell otherwise are brought together in `words.rs`. Steps that a model file declares as
//! left out are dropped, and told.

mod item;
mod outcome;
mod watch;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use selvedge_explore::{Bounds, Engine, Exploration, Verdict, explore};
use selvedge_models::mm::filemap::Filemap;
use selvedge_models::{Kernel, Machine, Tree};
use selvedge_monitors::for_rule;
use selvedge_proofs::Run;

use crate::error::{Error, Result};
use crate::native::check::{Prepared, unless_interrupted, wanted};
use crate::native::image::{Image, Snapshot};
use crate::native::models::call;
use crate::native::run::{self, Watched};
use crate::native::sharing::Sharing;
use crate::native::world::with;
use crate::request::{Compared, Request};
use crate::scenario::Scenario;
use crate::scenarios;

use outcome::Outcomes;
use watch::{Seen, Watch};
use words::{Pointers, Side, Words};

/// Functions that are Selvedge's on both sides: that they are called is compared, and not what they
/// do.
const OURS: [&str; 8] = [
    "schedule",
    "try_to_wake_up",
    "queue_work_on",
    "flush_work",
    "synchronize_rcu",
    "synchronize_rcu_expedited",
    "send_sigkill",
    "own_batch_is_empty",
];

/// How many executions tell which functions there are.
const TO_KNOW_THE_FUNCTIONS: u64 = 300;

/// Compares the scenarios that are meant and that have a model.
pub fn compare(request: &Request, say: &dyn Fn(&str)) -> Result<Compared> {
    if !request.patches.is_empty() {
        return Err(Error::new("--compare is about a tree that the models know: without --patch"));
    }
    let prepared = unless_interrupted(request, Prepared::of(request, say))?;
    let version = prepared.version.clone();
    let all = wanted(&scenarios::of_release(&version), &request.filters)?;
    let tree = scenarios::release(&version)
        .ok_or_else(|| Error::new(format!("no modelled release is as old as {version}")))?;
    let image = Arc::new(Image::load(&prepared.linked)?);
    let fresh = image.snapshot();
    let mut outcomes = Outcomes::new(&version, tree.name);
    let mut done = BTreeSet::new();
    for scenario in all {
        let has_models = scenario.functions().iter().all(|function| function.model.is_some());
        // The rule makes no difference to what functions do.
        if !has_models || !done.insert(scenario.name) {
            continue;
        }
        if prepared.lacks(&scenario).is_some() {
            continue;
        }
        say(&format!("comparing {}", scenario.name));
        let pair = Pair { image: &image, fresh: &fresh, prepared: &prepared, tree, request };
        pair.compare(&scenario, &mut outcomes);
    }
    Ok(outcomes.finish())
}

struct Pair<'a> {
    image: &'a Arc<Image>,
    fresh: &'a Snapshot,
    prepared: &'a Prepared,
    tree: &'static Tree,
    request: &'a Request,
}

impl Pair<'_> {
    fn compare(&self, scenario: &Scenario, outcomes: &mut Outcomes) {
        let none = Arc::new(BTreeSet::new());
        let few = Bounds { executions_max: TO_KNOW_THE_FUNCTIONS, ..self.request.bounds.clone() };
        let names = |seen: &Arc<Mutex<Seen>>| seen.lock().expect("not poisoned").names.clone();
        let (model, c) = (Arc::<Mutex<Seen>>::default(), Arc::<Mutex<Seen>>::default());
        let machine = self.machine(scenario);
        self.run_model(scenario, machine, &few, (none.clone(), &model));
        self.run_c(scenario, &few, (none, &c));
        let functions: BTreeSet<&'static str> =
            (names(&model).intersection(&names(&c)).copied()).collect();
        let functions = Arc::new(functions);
        // Past violations, to every end.
        let bounds = Bounds { keep_going: true, as_found: true, ..self.request.bounds.clone() };
        let seen_model =
            Arc::new(Mutex::new(Seen::new(Words::after(outcomes.names()), HashMap::new())));
        let of_model = self.run_model(scenario, machine, &bounds, (functions.clone(), &seen_model));
        let seen_model = take(&seen_model);
        let words = Words::after(seen_model.words.names.clone());
        let seen_c = Arc::new(Mutex::new(Seen::new(words, take(&c).on_stacks)));
        let of_c = self.run_c(scenario, &bounds, (functions, &seen_c));
        let seen_c = take(&seen_c);
        let whole = [cut(&of_model), cut(&of_c)];
        outcomes.add(scenario.name, (seen_model, seen_c), whole);
    }

    /// The model's machine, as large as C's.
    fn machine(&self, scenario: &Scenario) -> Machine {
        let size = |name: &str| self.image.at(name).map(|at| self.call(at) as usize);
        let machine = scenario.of.machine.operations().mlock();
        let machine = machine.bh_lru(size("sv_bh_lru_size").unwrap_or(1));
        machine.batch(size("sv_batch_size").unwrap_or(2))
    }

    fn call(&self, at: u64) -> u64 {
        crate::native::models::call_at(at, &[])
    }

    fn run_model(
        &self,
        scenario: &Scenario,
        machine: Machine,
        bounds: &Bounds,
        (functions, seen): (watch::Compared, &Arc<Mutex<Seen>>),
    ) -> Exploration {
        let of = scenario.of;
        let task_of = |sleeper| of.sleeper(sleeper).map_or(0, |place| of.before.len() + 1 + place);
        let tasks = (0..machine.sizes.sleepers).map(task_of).collect();
        let filemap = Filemap { unfairness: scenario.unfairness as u32, ..self.tree.filemap };
        let tree: &'static Tree = Box::leak(Box::new(Tree { filemap, ..*self.tree }));
        let mut monitors = for_rule(scenario.rule);
        monitors.push(Box::new(Watch::new(Side::Model(tasks), functions, seen.clone())));
        let body = Arc::new(move || of.play(&Run::new(Kernel::new(tree, machine))));
        let bounds = Bounds { workers: 1, stateful: false, ..bounds.clone() };
        explore(Engine::Dpor, &bounds, monitors, body)
    }

    fn run_c(
        &self,
        scenario: &Scenario,
        bounds: &Bounds,
        (functions, seen): (watch::Compared, &Arc<Mutex<Seen>>),
    ) -> Exploration {
        let side = Side::C(Arc::new(self.pointers()));
        let watch = Watch::new(side, functions, seen.clone());
        let prefixes = &self.prepared.prefixes;
        // What a function does alone is compared, too.
        let watched = Watched { bounds, monitors: vec![Box::new(watch)], every_access: true };
        run::run(self.image, self.fresh, prefixes, scenario, watched).exploration
    }

    fn pointers(&self) -> Pointers {
        with(|world| world.begin_search(self.image, &[], Sharing::default()));
        let distance = |name: &'static str| {
            let at = |index: u64| call(name, &[index]);
            (at(0), at(1) - at(0))
        };
        let flag = |name: &str| with(|world| world.number_of_flag(name)).unwrap_or(63);
        Pointers {
            folios: distance("sv_folio"),
            bhs: distance("sv_bh"),
            lock_bits: [flag("PG_locked"), flag("PG_waiters")],
        }
    }
}

fn take(seen: &Arc<Mutex<Seen>>) -> Seen {
    std::mem::take(&mut *seen.lock().expect("not poisoned"))
}

/// Why a search is not complete.
fn cut(seen: &Exploration) -> Option<String> {
    match (&seen.verdict, &seen.violations) {
        (Verdict::Holds, _) => None,
        (Verdict::Violated, Some(violations)) => violations.cut.clone(),
        (Verdict::Violated, None) => Some("the first violation".into()),
        (other, _) => Some(other.to_string()),
    }
}
