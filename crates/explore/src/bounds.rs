//! What explores, and within which limits. Every limit is named here; none has a silent default.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use selvedge_trace::Rule;

use crate::{Exchange, Loop};

/// What explores.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Engine {
    /// Optimal DPOR on shuttle: complete, sequentially consistent.
    Dpor,
    /// loom: complete within its limits, weak memory.
    Loom,
    /// shuttle's random scheduler.
    Random,
    /// shuttle's PCT scheduler.
    Pct,
    /// Plain depth-first search on shuttle: complete, no reduction.
    Dfs,
    /// Execution graphs (crate `graph`): complete, the kernel's memory model.
    Graph,
    /// The same, sequentially consistent.
    GraphSc,
}

/// The memory model that an engine explores.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemoryModel {
    /// Sequential consistency: all CPUs see one order of all steps.
    Sc,
    /// The C11 model as far as loom implements it: store buffering and stale reads, but no load
    /// buffering and no dependencies.
    C11,
    /// The Linux kernel's own, without load buffering and dependencies.
    Lkmm,
}

impl Engine {
    /// All engines, the default one first.
    pub const ALL: [Engine; 7] = [
        Engine::Dpor,
        Engine::Loom,
        Engine::Random,
        Engine::Pct,
        Engine::Dfs,
        Engine::Graph,
        Engine::GraphSc,
    ];

    /// Its name on the command line and in rows.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Dpor => "dpor",
            Engine::Loom => "loom",
            Engine::Random => "random",
            Engine::Pct => "pct",
            Engine::Dfs => "dfs",
            Engine::Graph => "graph",
            Engine::GraphSc => "graph-sc",
        }
    }

    /// What it does, in a line.
    pub fn about(self) -> &'static str {
        match self {
            Engine::Dpor => {
                "complete, sequential consistency: one execution per order of conflicts"
            }
            Engine::Loom => "complete within its limits, weak memory (C11, no load buffering)",
            Engine::Random => "shuttle's random scheduler: samples, sequential consistency",
            Engine::Pct => "shuttle's PCT scheduler: samples, sequential consistency",
            Engine::Dfs => "complete, sequential consistency: every order of steps, no reduction",
            Engine::Graph => {
                "complete, weak memory (the kernel's own model, no load buffering): each execution \
                 graph once"
            }
            Engine::GraphSc => "complete, sequential consistency: each execution graph once",
        }
    }

    /// The memory model that it explores.
    pub fn memory_model(self) -> MemoryModel {
        match self {
            Engine::Loom => MemoryModel::C11,
            Engine::Graph => MemoryModel::Lkmm,
            Engine::Dpor | Engine::Random | Engine::Pct | Engine::Dfs | Engine::GraphSc => {
                MemoryModel::Sc
            }
        }
    }

    /// Whether its executions can be run again along their schedules ([`crate::replay`]).
    pub fn takes_schedules(self) -> bool {
        match self {
            Engine::Dpor | Engine::Dfs | Engine::Random | Engine::Pct => true,
            Engine::Loom | Engine::Graph | Engine::GraphSc => false,
        }
    }

    /// Whether it visits every behaviour when nothing cuts it short.
    pub fn is_exhaustive(self) -> bool {
        match self {
            Engine::Dpor | Engine::Loom | Engine::Dfs | Engine::Graph | Engine::GraphSc => true,
            Engine::Random | Engine::Pct => false,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Engine {
    type Err = ();

    fn from_str(name: &str) -> Result<Engine, ()> {
        Engine::ALL.into_iter().find(|e| e.name() == name).ok_or(())
    }
}

impl MemoryModel {
    /// Its name in rows: `sc`, `c11` or `lkmm`.
    pub fn name(self) -> &'static str {
        match self {
            MemoryModel::Sc => "sc",
            MemoryModel::C11 => "c11",
            MemoryModel::Lkmm => "lkmm",
        }
    }
}

/// How far a search is, told while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Executions so far.
    pub executions: u64,
    /// How many there will be, if the engine can say.
    pub estimate: Option<f64>,
}

/// Who wants to know how far a search is.
pub type ProgressFn = Arc<dyn Fn(&Progress) + Send + Sync>;

/// The limits of a search.
#[derive(Clone)]
pub struct Bounds {
    /// A complete engine that has run so many executions gives up (`undecided`).
    pub executions_max: u64,
    /// An execution with more steps than this stops the search (`undecided`).
    pub steps_max: usize,
    /// A complete engine that has run so long gives up (`undecided`).
    pub time_max: Option<Duration>,
    /// Only executions with at most so many preemptions (`holds within`). Dpor and loom; graphs
    /// have none, and are all explored.
    pub preemptions_max: Option<u32>,
    /// How many schedules the random engines try (`holds within`).
    pub samples: u64,
    /// PCT's depth: how many ordering constraints a bug may need.
    pub pct_depth: usize,
    /// The seed of the random engines.
    pub seed: u64,
    /// How many binary choices an execution may make under loom; each costs every execution a step.
    pub loom_choices: usize,
    /// After a violation, search on and count them all ([`crate::Exploration::violations`]). The
    /// verdict, its counts and the counterexample are those of the search that stops at the first.
    /// Not under loom, whose search cannot go on after a failure.
    pub keep_going: bool,
    /// Only a violation of this rule ends the search. An execution that breaks another one first is
    /// passed over; a search that meets no other violations has proven nothing of this rule, and is
    /// `undecided`. Not under loom, and without effect on [`Bounds::keep_going`].
    pub rule: Option<Rule>,
    /// Stateful search: dpor visits each *state* once, instead of each trace once. Faster where
    /// tasks contend for one word, slower elsewhere. A state is the words, locks and tokens, the
    /// references that are booked, what is in each [`crate::Private`] and [`crate::Own`], what
    /// [`crate::shared_state`] adds, and what each task has observed since [`crate::at_rest`].
    ///
    /// It requires that scenarios share nothing else. A monitor that judges the way to a state, as
    /// the race detector does, sees one of many: the verdict is then at most `undecided`
    /// ([`selvedge_trace::Monitor::judges`]). Complete up to collisions of hashes, with the
    /// probability in [`crate::Exploration::states`]. No effect together with `preemptions_max`,
    /// `keep_going` and `rule`.
    pub stateful: bool,
    /// With `stateful`, and slower: what follows a state is compared with what followed it when it
    /// was first visited. The search is undecided if a step does something else, and names it:
    /// something that tasks share is not said. To be asked of scenarios by tests.
    pub compares: bool,
    /// How many threads search together, at least 1, where a search is split: dpor without a bound
    /// on preemptions and without `stateful`. The verdict, the counts and the counterexample do not
    /// depend on it. A small search is not split.
    pub workers: usize,
    /// Where processes that search together, on one machine or on many, put what they found; for
    /// dpor, where a search is split. What is found does not depend on it either.
    pub exchange: Option<Arc<dyn Exchange>>,
    /// The counterexample is the one that was found first: none that is easier to read is looked
    /// for.
    pub as_found: bool,
    /// Loops of which an execution goes only a few rounds in a row that find nothing new
    /// (`holds within fair schedules`). [`crate::explore`] finds them itself: it searches again
    /// with those that an execution with too many steps does not leave.
    pub loops: Option<Arc<[Loop]>>,
    /// Set from outside to stop (Ctrl-C).
    pub interrupted: Option<Arc<AtomicBool>>,
    /// Told every thousand executions or so.
    pub progress: Option<ProgressFn>,
}

impl Bounds {
    /// Limits for a claim of the proofs: generous to a complete engine, brief for a random one. No
    /// limit is a time, so that the verdict does not depend on how busy the machine is.
    pub const PROOF: Bounds = Bounds {
        executions_max: 3_000_000,
        steps_max: 5_000,
        time_max: None,
        preemptions_max: None,
        samples: 20_000,
        pct_depth: 3,
        seed: 0x5e17_ed6e,
        loom_choices: 0,
        keep_going: false,
        rule: None,
        stateful: false,
        compares: false,
        workers: 1,
        exchange: None,
        as_found: false,
        loops: None,
        interrupted: None,
        progress: None,
    };

    /// Does a search of this engine compare states?
    pub(crate) fn compares_states(&self, engine: Engine) -> bool {
        self.stateful && engine == Engine::Dpor && self.preemptions_max.is_none()
    }

    /// Has somebody asked for an end?
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

impl fmt::Debug for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bounds")
            .field("executions_max", &self.executions_max)
            .field("steps_max", &self.steps_max)
            .field("time_max", &self.time_max)
            .field("preemptions_max", &self.preemptions_max)
            .field("samples", &self.samples)
            .field("pct_depth", &self.pct_depth)
            .field("seed", &self.seed)
            .field("loom_choices", &self.loom_choices)
            .field("keep_going", &self.keep_going)
            .field("rule", &self.rule)
            .field("stateful", &self.stateful)
            .field("compares", &self.compares)
            .field("workers", &self.workers)
            .field("as_found", &self.as_found)
            .field("loops", &self.loops)
            .finish_non_exhaustive()
    }
}
