//! `proofs/survivors.toml`: why a mutant that no claim notices is no hole in what is proven, or
//! which claim is wanted.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Fate, Mutant};
use crate::expected::reviewed;

/// The whole file.
#[derive(Deserialize, Clone, Debug, Default)]
#[serde(deny_unknown_fields)]
pub struct Survivors {
    /// Faults that do no harm.
    #[serde(default)]
    pub equivalent: Vec<Equivalent>,
    /// Faults that may do harm, which no claim looks for yet.
    #[serde(default)]
    pub open: Vec<Open>,
}

/// Mutants of which one reason is true.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Equivalent {
    /// [`Pattern`]s.
    pub mutants: Vec<String>,
    /// A plain sentence that a kernel developer would accept.
    pub reason: String,
}

/// Mutants that wait for one claim.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// [`Pattern`]s.
    pub mutants: Vec<String>,
    /// The claim that would notice them.
    pub wanted: String,
}

/// What the file says of a mutant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Explained<'a> {
    /// It does no harm, for this reason.
    Equivalent(&'a str),
    /// This claim is wanted.
    Open(&'a str),
}

/// `function::primitive(object)#nth::operator`; of the three parts the last ones may be left out,
/// `*` is any, and so are `#nth` and the object if they are left out.
#[derive(Clone, Copy, Debug)]
pub struct Pattern<'a>(&'a str);

impl Pattern<'_> {
    /// Does it mean this mutant?
    pub fn means(&self, mutant: &Mutant) -> bool {
        let mut parts = self.0.split("::");
        let mut is_any = |found: &dyn Fn(&str) -> bool| {
            parts.next().is_none_or(|wanted| wanted == "*" || found(wanted))
        };
        let step = mutant.step();
        let (without_nth, _) = step.split_once('#').unwrap_or((&step, ""));
        is_any(&|wanted| mutant.site.function == Some(wanted))
            && is_any(&|wanted| {
                wanted == step || wanted == without_nth || wanted == mutant.site.primitive
            })
            && is_any(&|wanted| wanted == mutant.operator.name())
            && parts.next().is_none()
    }
}

impl Survivors {
    /// The tree that the file is about.
    pub const TREE: &'static str = "v6.12.117";

    /// Where the file is.
    pub fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("survivors.toml")
    }

    /// Reads the file; what it was when this was compiled, if it is not there any more.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is not as this says.
    pub fn read() -> Result<Survivors, String> {
        let path = Survivors::path();
        let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let text = reviewed(&path, include_str!("../../survivors.toml"))?;
        Survivors::parse(&text).map_err(|error| said(&error))
    }

    /// Reads the text of the file.
    ///
    /// # Errors
    ///
    /// The line that is not as this says, and why.
    pub fn parse(text: &str) -> Result<Survivors, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// What it says of this mutant: the first entry counts.
    pub fn explain(&self, mutant: &Mutant) -> Option<Explained<'_>> {
        let means = |mutants: &[String]| mutants.iter().any(|text| Pattern(text).means(mutant));
        let equivalent = self.equivalent.iter().find(|entry| means(&entry.mutants));
        let open = || self.open.iter().find(|entry| means(&entry.mutants));
        let equivalent = equivalent.map(|entry| Explained::Equivalent(&entry.reason));
        equivalent.or_else(|| open().map(|entry| Explained::Open(&entry.wanted)))
    }

    /// Entries that are wrong: they name no site of `all`, or, of those that were judged, only
    /// mutants that some claim kills.
    pub fn faults(&self, all: &[Mutant], judged: &[(&Mutant, Fate)]) -> Vec<String> {
        let patterns = (self.equivalent.iter().flat_map(|entry| &entry.mutants))
            .chain(self.open.iter().flat_map(|entry| &entry.mutants));
        patterns.filter_map(|text| fault(text, all, judged)).collect()
    }
}

fn fault(text: &str, all: &[Mutant], judged: &[(&Mutant, Fate)]) -> Option<String> {
    let pattern = Pattern(text);
    let meant = all.iter().filter(|mutant| pattern.means(mutant)).count();
    if meant == 0 {
        return Some(format!("`{text}` names no mutant"));
    }
    let fates: Vec<&Fate> =
        judged.iter().filter(|(mutant, _)| pattern.means(mutant)).map(|(_, fate)| fate).collect();
    let survives = |fate: &&Fate| !matches!(fate, Fate::Killed(_) | Fate::NotJudged | Fate::Idle);
    let is_left_over = fates.len() == meant && !fates.iter().any(survives);
    is_left_over.then(|| format!("`{text}`: a claim kills it"))
}
