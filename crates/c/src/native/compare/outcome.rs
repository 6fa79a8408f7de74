//! What a comparison comes to, for each function over all scenarios.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::item::Item;
use super::watch::{Behaviour, Seen};
use super::words::omissions;
use crate::request::{Compared, Difference, FunctionCompared, ScenarioCompared};

/// How many steps are shown before the first that differs, and how many from it on.
const SHOWN: (usize, usize) = (4, 8);

#[derive(Default)]
struct Function {
    scenarios: Vec<&'static str>,
    behaviours: usize,
    left_out: BTreeSet<usize>,
    difference: Option<Difference>,
}

/// What has been compared so far.
pub struct Outcomes {
    compared: Compared,
    functions: BTreeMap<&'static str, Function>,
    names: Vec<String>,
}

impl Outcomes {
    /// Nothing yet.
    pub fn new(version: &str, tree: &str) -> Outcomes {
        let compared =
            Compared { version: version.into(), tree: tree.into(), ..Default::default() };
        Outcomes { compared, functions: BTreeMap::new(), names: Vec::new() }
    }

    /// The names that have numbers.
    pub fn names(&self) -> Vec<String> {
        self.names.clone()
    }

    /// What both sides of a scenario did, and what cut each short.
    pub fn add(
        &mut self,
        scenario: &'static str,
        (model, c): (Seen, Seen),
        cut: [Option<String>; 2],
    ) {
        self.names = c.words.names.clone();
        let both = model.traces.intersection(&c.traces).count();
        self.compared.scenarios.push(ScenarioCompared {
            name: scenario,
            executions: [model.executions, c.executions],
            traces: [model.traces.len(), c.traces.len()],
            both,
            cut: cut.into_iter().flatten().next(),
        });
        let is_cut = self.compared.scenarios.last().is_some_and(|last| last.cut.is_some());
        for name in model.functions.keys().chain(c.functions.keys()).collect::<BTreeSet<_>>() {
            let none = HashSet::new();
            let of = |seen: &Seen| seen.functions.get(name).unwrap_or(&none).clone();
            let (of_model, of_c) = (of(&model), of(&c));
            let function = self.functions.entry(name).or_default();
            function.scenarios.push(scenario);
            function.behaviours += of_c.len();
            for seen in [&model, &c] {
                function.left_out.extend(seen.left_out.get(name).into_iter().flatten());
            }
            // What a search that was cut has not seen is no difference.
            if function.difference.is_none() && of_model != of_c && !is_cut {
                function.difference = Some(difference(scenario, &of_model, &of_c, &self.names));
            }
        }
    }

    /// The whole of it.
    pub fn finish(self) -> Compared {
        let all: Vec<_> = omissions().collect();
        let functions = self.functions.into_iter().map(|(name, function)| FunctionCompared {
            name,
            scenarios: function.scenarios,
            behaviours: function.behaviours,
            left_out: function
                .left_out
                .iter()
                .map(|&nth| (all[nth].0, all[nth].1.words.join(", "), all[nth].1.why))
                .collect(),
            difference: function.difference,
        });
        Compared { functions: functions.collect(), ..self.compared }
    }
}

/// The shortest behaviour that only one side has, beside the most similar one of the other.
fn difference(
    scenario: &'static str,
    model: &HashSet<Behaviour>,
    c: &HashSet<Behaviour>,
    names: &[String],
) -> Difference {
    let only = |one: &HashSet<Behaviour>, other: &HashSet<Behaviour>| {
        let mut only: Vec<Behaviour> = one.difference(other).cloned().collect();
        only.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
        only
    };
    let (only_model, only_c) = (only(model, c), only(c, model));
    let (of_model, of_c) = match (only_c.first(), only_model.first()) {
        (Some(of_c), _) => (nearest(of_c, model), of_c.clone()),
        (None, Some(of_model)) => (of_model.clone(), nearest(of_model, c)),
        (None, None) => Default::default(),
    };
    let counts = [only_model.len(), only_c.len()];
    Difference { scenario, only: counts, rows: rows(&of_model, &of_c, names) }
}

fn common(a: &[Item], b: &[Item]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn nearest(to: &Behaviour, among: &HashSet<Behaviour>) -> Behaviour {
    let key = |other: &&Behaviour| (common(to, other), std::cmp::Reverse((*other).clone()));
    among.iter().max_by_key(key).cloned().unwrap_or_default()
}

fn rows(model: &[Item], c: &[Item], names: &[String]) -> Vec<(String, String)> {
    let (before, from) = SHOWN;
    let differs = common(model, c);
    let show =
        |items: &[Item], at: usize| items.get(at).map(|item| item.show(names)).unwrap_or_default();
    let last = (differs + from).min(model.len().max(c.len()));
    (differs.saturating_sub(before)..last).map(|at| (show(model, at), show(c, at))).collect()
}
