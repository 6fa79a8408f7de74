//! A scenario that does not do the same thing twice cannot be explored.

use std::any::Any;

use selvedge_trace::{Execution, Finding, Monitor};

use crate::machine::shuttle;
use crate::verdict::Cut;
use crate::{Body, Bounds, Engine};

/// What is compared of an event: task, primitive, object, values.
type Digest = (u8, &'static str, u32, u64, u64);

/// Keeps the last execution.
#[derive(Default)]
struct Remember(Vec<Digest>);

impl Monitor for Remember {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let digest = |e: &selvedge_trace::Event| (e.task, e.primitive, e.object, e.old, e.new);
        self.0 = execution.events.iter().map(digest).collect();
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::<Remember>::default()
    }
}

/// Runs the scenario twice along the same schedule, which is a random one: whatever its seed is, it
/// is the same twice.
pub(crate) fn is_missing(bounds: &Bounds, body: &Body) -> Option<Cut> {
    let once = Bounds { samples: 1, progress: None, ..bounds.clone() };
    let mut digests: Vec<Vec<Digest>> = Vec::new();
    for _ in 0..2 {
        let remember: Vec<Box<dyn Monitor>> = vec![Box::<Remember>::default()];
        let mut seen = shuttle::search(Engine::Random, &once, remember, body);
        if let Some(cut @ (Cut::Panic(_) | Cut::Steps { .. })) = seen.cut {
            return Some(cut);
        }
        let monitor: Box<dyn Any> = seen.monitors.pop()?;
        digests.push(monitor.downcast::<Remember>().map_or_else(|_| Vec::new(), |m| m.0));
    }
    let differ = digests[0].iter().zip(&digests[1]).position(|(a, b)| a != b);
    let differ = differ.or((digests[0].len() != digests[1].len()).then_some(0));
    differ.map(|at| {
        let what = format!(
            "step {at} of the same schedule was {:?}, then {:?}",
            digests[0].get(at),
            digests[1].get(at)
        );
        Cut::NotDeterministic(what)
    })
}
