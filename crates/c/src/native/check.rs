//! A whole check: a tree, patches on it, the scenarios that these reach, before and after.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use selvedge_explore::{Verdict, fail};
use selvedge_kernel::KERNEL_ASSERTIONS_HOLD;
use selvedge_proofs::look::Look;

use crate::error::{Error, Result};
use crate::native::audit::audit;
use crate::native::build::cache::{CONFIG, Cache};
use crate::native::build::kbuild::{Build, tools};
use crate::native::build::link::{Linked, link, own_objects};
use crate::native::build::objects::Objects;
use crate::native::build::overlay::Patched;
use crate::native::build::tree::Tree;
use crate::native::image::Image;
use crate::native::models;
use crate::native::run::{self, Outcome, Watched};
use crate::own;
use crate::request::{Checked, Ran, Request};
use crate::scenario::Scenario;
use crate::scenarios;

/// A tree that has been compiled and linked as it is.
pub struct Prepared {
    /// Its version.
    pub version: String,
    /// The image.
    pub linked: Linked,
    /// What names of source files begin with.
    pub prefixes: Vec<String>,
    _cache: Cache,
}

impl Prepared {
    /// Of the tree that is asked about.
    pub fn of(request: &Request, say: &dyn Fn(&str)) -> Result<Prepared> {
        let tree = Tree::open(&request.kernel)?;
        let cache = cache_of(&tree, request, say)?;
        let build = Build::make(&tree, &cache, (&request.cc, &request.also), say)?;
        let linked = image_of(&build, &cache.dir, &Patched::default(), None)?;
        let prefixes = vec![tree.dir.display().to_string()];
        Ok(Prepared { version: tree.version.clone(), linked, prefixes, _cache: cache })
    }

    /// A function of the scenario that the tree lacks.
    pub fn lacks(&self, scenario: &Scenario) -> Option<String> {
        symbols_or_names(scenario, &self.linked.objects).into_iter().find_map(|found| found.err())
    }
}

fn cache_of(tree: &Tree, request: &Request, say: &dyn Fn(&str)) -> Result<Cache> {
    let compiler = tools(&request.cc)?;
    let identity = [&tree.dir.display().to_string(), &tree.version, &compiler, CONFIG];
    Cache::open(&identity, &|| request.is_interrupted(), say)
}

/// Builds, audits and explores. `say` is told what takes long.
pub fn check(request: &Request, say: &dyn Fn(&str)) -> Result<Checked> {
    unless_interrupted(request, check_all(request, say))
}

/// Ctrl-C ends the compiler, too, which is not the tree's fault.
pub fn unless_interrupted<T>(request: &Request, answer: Result<T>) -> Result<T> {
    match answer {
        Err(_) if request.is_interrupted() => Err(Error::new(
            "interrupted before anything was explored; the next run goes on where this one was",
        )),
        answer => answer,
    }
}

fn check_all(request: &Request, say: &dyn Fn(&str)) -> Result<Checked> {
    let tree = Tree::open(&request.kernel)?;
    let all = scenarios::of_release(&tree.version);
    let mut wanted = wanted(&all, &request.filters)?;
    let patched = Patched::read(&tree.dir, &tree.version, &request.patches)?;
    if let Some(init) = &request.init {
        own::look_over(init)?;
    }
    let cache = cache_of(&tree, request, say)?;
    let build = Build::make(&tree, &cache, (&request.cc, &request.also), say)?;
    let mut checked = Checked { version: tree.version.clone(), ..Checked::default() };
    checked.remarks.extend(tree.remark());
    let init = request.init.as_deref();
    let plain = image_of(&build, &cache.dir, &Patched::default(), init)?;
    if let Some(path) = init {
        wanted = vec![own::scenario(path, &plain.init, own_check)?];
    }
    let prefixes = vec![tree.dir.display().to_string()];
    if patched.files.is_empty() {
        let scenarios = checked.applicable(&wanted, &[&plain]);
        checked.before = explore_all((&tree, &plain), &prefixes, &scenarios, request, say)?;
        return Ok(checked);
    }
    checked.patches = patched.name.clone();
    let new = image_of(&build, &cache.dir, &patched, init)?;
    let changed = plain.objects.differ(&new.objects);
    checked.changed = changed.iter().map(|(_, name)| name.clone()).collect();
    checked.remarks.extend(not_compiled(&build, &patched));
    if changed.is_empty() {
        checked.is_same_code = patched.is_compiled(&build, &patched.dir(&build, &cache.dir))?;
    }
    let mut scenarios = checked.applicable(&wanted, &[&plain, &new]);
    if request.filters.is_empty() && init.is_none() {
        scenarios.retain(|scenario| {
            let reaches = [&plain, &new].iter().any(|linked| {
                let roots = symbols(scenario, &linked.objects);
                let reached = linked.objects.reached(roots.iter().map(String::as_str));
                changed.iter().any(|changed| reached.names.contains(changed))
            });
            if !reaches {
                checked.not_reached.push(scenario.clone());
            }
            reaches
        });
    }
    // What a patch breaks is what its author waits for: that comes first.
    let overlaid = [patched.dir(&build, &cache.dir).join("tree").display().to_string()];
    let of_both = [&overlaid[..], &prefixes].concat();
    let say_of = |tree: &str| {
        let tree = tree.to_string();
        move |text: &str| say(&format!("{tree}: {text}"))
    };
    let with = say_of(&format!("with {}", checked.patches));
    checked.after = explore_all((&tree, &new), &of_both, &scenarios, request, &with)?;
    let without = say_of("without");
    checked.before = explore_all((&tree, &plain), &prefixes, &scenarios, request, &without)?;
    Ok(checked)
}

/// The check of a scenario of the user's own: its `at_end()`.
fn own_check(_: &(dyn Look + 'static)) {
    let answer = models::call("at_end", &[]) as i32;
    if answer != 0 {
        fail(KERNEL_ASSERTIONS_HOLD, format!("at_end() returned {answer}"));
    }
}

/// The scenarios that are meant, in their order. A whole name means that one, and not those that it
/// is a part of.
pub fn wanted(all: &[Scenario], filters: &[String]) -> Result<Vec<Scenario>> {
    let names = |scenario: &Scenario, filter: &String| {
        let is_whole = all.iter().any(|other| other.name == filter.as_str());
        if is_whole { scenario.name == *filter } else { scenario.name.contains(filter.as_str()) }
    };
    if let Some(filter) = filters.iter().find(|filter| !all.iter().any(|s| names(s, filter))) {
        let known: BTreeSet<&str> = all.iter().map(|scenario| scenario.name).collect();
        let known: Vec<&str> = known.into_iter().collect();
        return Err(Error::new(format!(
            "no scenario on C has `{filter}` in its name; there are {}",
            known.join(", ")
        )));
    }
    let is_meant = |scenario: &&Scenario| {
        filters.is_empty() || filters.iter().any(|filter| names(scenario, filter))
    };
    Ok(all.iter().filter(is_meant).cloned().collect())
}

/// Compiles what is not up to date, links it, and looks whether all is at the gate.
pub fn image_of(
    build: &Build<'_>,
    cache: &Path,
    patched: &Patched,
    init: Option<&Path>,
) -> Result<Linked> {
    let dir = patched.dir(build, cache);
    let (mut objects, _) = patched.compile(build, &dir)?;
    // Ours include headers only: where these are as they were, so are ours.
    let plain = Patched::default();
    let own = if patched.touches_headers() {
        own_objects(build, &objects, &dir, &dir.join("tree"))
    } else {
        let (objects, dir) = (plain.compile(build, &dir)?.0, plain.dir(build, cache));
        own_objects(build, &objects, &dir, &dir.join("tree"))
    };
    objects.extend(own?);
    let roots: Vec<&str> = scenarios::roots().into_iter().collect();
    let linked = link(build, &objects, &dir, &dir.join("tree"), (&roots, init))?;
    let found = audit(&Image::load(&linked)?);
    if let Some(first) = found.faults.first() {
        let more = found.faults.len() - 1;
        let and = if more > 0 { format!("\n(and {more} more)") } else { String::new() };
        return Err(Error::new(format!(
            "the image of {} cannot be explored, since not every access is announced:\n{first}{and}",
            build.tree.version
        )));
    }
    Ok(linked)
}

/// The symbols that a scenario's functions are in these files, and the names of those that are not.
fn symbols_or_names(
    scenario: &Scenario,
    objects: &Objects,
) -> Vec<std::result::Result<String, String>> {
    let find = |name: &str| objects.defines(name).then(|| name.to_string());
    let functions = scenario.functions().into_iter().map(|function| function.name);
    functions.map(|name| run::symbol(name, find).ok_or_else(|| name.to_string())).collect()
}

/// The symbols that a scenario's functions are in these files.
fn symbols(scenario: &Scenario, objects: &Objects) -> Vec<String> {
    symbols_or_names(scenario, objects).into_iter().flatten().collect()
}

impl Checked {
    /// Those of the scenarios whose functions all images have; the others are noted.
    fn applicable(&mut self, wanted: &[Scenario], images: &[&Linked]) -> Vec<Scenario> {
        let mut applicable = Vec::new();
        for scenario in wanted {
            let lacking =
                images.iter().flat_map(|linked| symbols_or_names(scenario, &linked.objects));
            match lacking.filter_map(std::result::Result::err).next() {
                Some(name) => self.not_applicable.push((scenario.clone(), name)),
                None => applicable.push(scenario.clone()),
            }
        }
        applicable
    }
}

/// Files that patches touch and that no compiled file depends on.
fn not_compiled(build: &Build<'_>, patched: &Patched) -> Option<String> {
    let files = patched.not_compiled(build);
    (!files.is_empty()).then(|| {
        format!(
            "not compiled, and so nothing of it is checked: {} (compiled are {} and what they include)",
            files.join(", "),
            build.files.join(", ")
        )
    })
}

fn explore_all(
    (tree, linked): (&Tree, &Linked),
    prefixes: &[String],
    scenarios: &[Scenario],
    request: &Request,
    say: &dyn Fn(&str),
) -> Result<Vec<Ran>> {
    let image = Arc::new(Image::load(linked)?);
    let fresh = image.snapshot();
    let ran = scenarios.iter().map(|scenario| {
        say(&format!("exploring {}", scenario.name));
        let (bounds, every_access) = (&request.bounds, request.every_access);
        let watched = Watched { bounds, monitors: Vec::new(), every_access };
        let Outcome { exploration, missing } =
            run::run(&image, &fresh, prefixes, scenario, watched);
        if exploration.verdict == Verdict::Violated {
            say(&format!("{} is violated", scenario.name));
        }
        let missing = missing.map(|missing| {
            let file = tree.file_that_defines(&missing.name);
            let file = file.map_or("FILE.c, of the tree".into(), |file| file);
            format!("{missing}: --also {file} compiles the file that has it")
        });
        Ran { scenario: scenario.clone(), exploration, missing }
    });
    Ok(ran.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_name_means_one_scenario() {
        let all = scenarios::of_release("6.12.117");
        let of = |filter: &str| wanted(&all, &[filter.into()]).map(|found| found.len());
        assert_eq!(of("killed_waiter_before_plain_waiter"), Ok(1));
        assert_eq!(of("killed"), Ok(3));
        let why = of("nothing").expect_err("no such").to_string();
        assert!(why.contains("add_vs_prep, drain_vs_isolate"), "{why}");
    }
}
