//! What came of mutants, as a page of the docs: by file and function, what each step is needed for.

use std::collections::BTreeMap;
use std::fmt::Write;

use selvedge_models::functions::{self, FUNCTIONS};
use selvedge_proofs::mutation::survivors::Explained;
use selvedge_proofs::mutation::{Fate, Kill, Survey};

use super::kills::PAGE;
use super::text::what;
use super::{Found, Judged};

/// The page. It says nothing that depends on the machine.
pub fn markdown(found: &Found<'_>, tree: &str) -> String {
    let mut files: BTreeMap<&str, BTreeMap<&str, Vec<&Judged<'_>>>> = BTreeMap::new();
    for judged in &found.judged {
        let function = judged.mutant.site.function.unwrap_or_default();
        let functions = files.entry(file_of(function)).or_default();
        functions.entry(function).or_default().push(judged);
    }
    let mut out = format!("{PAGE}{tree}\n\n");
    // Writing to a string cannot fail; so below.
    let _ = writeln!(
        out,
        "Made by `selvedge mutate --tree {tree} --report`; [how to read it](mutants.md). {}",
        super::text::totals_line(found)
    );
    for (file, functions) in files {
        let _ = write!(out, "\n## {file}\n");
        for (function, judged) in functions {
            let _ = write!(out, "\n### {function}()\n\n");
            of_function(&mut out, found.survey, &judged);
        }
    }
    out
}

/// The C file of a function, as the register of the models has it.
pub fn file_of(function: &str) -> &'static str {
    known(function).map_or("primitives", |known| known.notes().c_file)
}

/// Where the function is modelled: `models/src/mm/swap.rs:87`.
pub fn model_of(function: &str) -> Option<String> {
    known(function).map(|known| format!("{}:{}", known.file, known.line))
}

fn known(function: &str) -> Option<&'static functions::Function> {
    let entered = |known: &&functions::Function| known.entered.contains(&function);
    let known = FUNCTIONS.iter().find(|known| known.name == function);
    known.or_else(|| FUNCTIONS.iter().find(entered))
}

fn of_function(out: &mut String, survey: &Survey, judged: &[&Judged<'_>]) {
    let mut steps: Vec<(String, Vec<&Judged<'_>>)> = Vec::new();
    for judged in judged {
        let step = judged.mutant.step();
        match steps.iter_mut().find(|(known, _)| *known == step) {
            Some((_, faults)) => faults.push(judged),
            None => steps.push((step, vec![judged])),
        }
    }
    out.push_str("| step | needed by | needed by none |\n|---|---|---|\n");
    for (step, faults) in steps {
        let needed: Vec<String> = faults.iter().filter_map(|fault| killed(survey, fault)).collect();
        let other: Vec<String> = faults.iter().filter_map(|fault| not_killed(fault)).collect();
        let _ = writeln!(out, "| `{step}` | {} | {} |", needed.join("<br>"), other.join("<br>"));
    }
}

fn killed(survey: &Survey, judged: &Judged<'_>) -> Option<String> {
    let Fate::Killed(kills) = &judged.fate else { return None };
    let operator = judged.mutant.operator;
    Some(format!("**{operator}**: {}", killers(survey, kills)))
}

/// The first claim that notices, what it notices, and how many there are.
fn killers(survey: &Survey, kills: &[Kill]) -> String {
    let by = survey.judges[kills[0].judge].claim.scenario.name;
    let more = match kills.len() - 1 {
        0 => String::new(),
        number => format!(", and {number} more"),
    };
    format!("{} *({by}{more})*", what(&kills[0].what))
}

fn not_killed(judged: &Judged<'_>) -> Option<String> {
    let operator = judged.mutant.operator;
    let why = match (&judged.fate, judged.explained) {
        (Fate::Killed(_), _) => return None,
        (Fate::Idle, _) => "no effect in any scenario".to_string(),
        (Fate::NotJudged, _) => "not judged under SC".to_string(),
        (Fate::Undecided(_), None) => "undecided".to_string(),
        (_, Some(Explained::Equivalent(reason))) => reason.to_string(),
        (_, Some(Explained::Open(wanted))) => format!("open: {wanted}"),
        (Fate::Survived { .. }, None) => "survives, and nobody knows why".to_string(),
    };
    Some(format!("{operator}: {why}"))
}
