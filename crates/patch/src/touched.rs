//! Which functions a hunk touches.

use std::collections::BTreeMap;

use crate::functions::{Context, Owner, Seen, owner_by_heading, owners};
use crate::{Form, Hunk, Mark};

/// What a hunk touches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touch {
    /// The functions, in the order in which they come first.
    pub functions: Vec<Touched>,
    /// Lines with code that it changes outside of functions: declarations, macros, variables.
    pub outside: Vec<String>,
    /// How many lines with code it changes of which nothing says in what function they are.
    pub unknown: usize,
    /// How this was found.
    pub found: Found,
}

/// A function that is touched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    /// Its name in C; `sys_move_pages` for `SYSCALL_DEFINE6(move_pages, …)`.
    pub name: String,
    /// What becomes of it.
    pub how: How,
}

/// What a hunk does to a function.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum How {
    /// Its comments only.
    Comments,
    /// Its code.
    Changed,
    /// The function is new.
    Added,
    /// The function is removed.
    Removed,
}

/// How the functions were found.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Found {
    /// From the file: by line.
    File,
    /// From the hunk's header and its lines, since there is no file.
    Hunk,
    /// Likewise: there is a file, but it does not have the lines of the hunk.
    HunkNotInFile,
    /// From the hunk's header alone: its lines are lost.
    Header,
}

/// The functions that a hunk touches; exactly, if the text of the file is given and has the
/// hunk's lines (before or after the patch).
pub fn touched(hunk: &Hunk, file: Option<&str>) -> Touch {
    if hunk.form == Form::HeaderOnly {
        return by_header(hunk);
    }
    let Some(file) = file else { return by_hunk(hunk, &Known::default(), Found::Hunk) };
    let file: Vec<&str> = file.lines().collect();
    match locate(hunk, &file) {
        Some(known) => by_hunk(hunk, &known, Found::File),
        None => by_hunk(hunk, &Known::default(), Found::HunkNotInFile),
    }
}

fn by_header(hunk: &Hunk) -> Touch {
    // The heading has swallowed the lines after it: the first parenthesis is what is left of it.
    let heading = hunk.heading.split('(').next().unwrap_or_default();
    let owner = owner_by_heading(&format!("{heading}("), hunk.old_start);
    let (functions, unknown) = match owner {
        Owner::In(name) if hunk.heading.contains('(') => {
            (vec![Touched { name, how: How::Changed }], 0)
        }
        _ => (Vec::new(), 1),
    };
    Touch { functions, outside: Vec::new(), unknown, found: Found::Header }
}

/// What the file says of a hunk.
#[derive(Default)]
struct Known {
    /// Whose the line before the hunk is.
    start: Option<Owner>,
    /// Whose those lines of the hunk are that the file has, by their place in the hunk.
    owners: BTreeMap<usize, Owner>,
}

/// Finds the hunk in the file, as it was before the patch or as it is after it.
fn locate(hunk: &Hunk, file: &[&str]) -> Option<Known> {
    let context = Context { start: Owner::Outside, flattened: false, whole: true };
    for without in [Mark::Added, Mark::Removed] {
        let image: Vec<(usize, String)> = (hunk.lines.iter().enumerate())
            .filter(|(_, line)| line.mark != without)
            .map(|(at, line)| (at, words(&line.text)))
            .collect();
        // A line or two may be found anywhere.
        if image.iter().filter(|(_, text)| text.len() > 1).count() < 2 {
            continue;
        }
        let lines: Vec<String> = file.iter().map(|line| words(line)).collect();
        let fits =
            |at: &usize| image.iter().zip(&lines[*at..]).all(|((_, wanted), line)| wanted == line);
        let last = (lines.len() + 1).checked_sub(image.len())?;
        let near = |at: &usize| at.abs_diff(hunk.old_start.saturating_sub(1));
        let Some(start) = (0..last).filter(fits).min_by_key(near) else { continue };
        let seen = owners(file, &context);
        let before = start.checked_sub(1).map_or(Owner::Outside, |at| after(&seen, file, at));
        let known =
            image.iter().enumerate().map(|(n, (at, _))| (*at, seen[start + n].owner.clone()));
        return Some(Known { start: Some(before), owners: known.collect() });
    }
    None
}

/// Whose the place after this line is: a `}` in the first column is the function's last.
fn after(seen: &[Seen], file: &[&str], at: usize) -> Owner {
    if file[at].starts_with('}') { Owner::Outside } else { seen[at].owner.clone() }
}

/// A line, with every run of blanks as one: archives change them.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One side of a hunk: for each of its lines, where it is in the hunk, and whose it is.
fn side(hunk: &Hunk, without: Mark, known: &Known) -> Vec<(usize, Seen)> {
    let lines: Vec<(usize, &str)> = (hunk.lines.iter().enumerate())
        .filter(|(_, line)| line.mark != without)
        .map(|(at, line)| (at, line.text.as_str()))
        .collect();
    let texts: Vec<&str> = lines.iter().map(|&(_, text)| text).collect();
    let by_heading = || owner_by_heading(&hunk.heading, hunk.old_start);
    let context = Context {
        start: known.start.clone().unwrap_or_else(by_heading),
        flattened: hunk.form == Form::Flattened,
        whole: false,
    };
    let mut seen = owners(&texts, &context);
    for ((at, _), seen) in lines.iter().zip(&mut seen) {
        if let Some(owner) = known.owners.get(at) {
            seen.owner = owner.clone();
        }
    }
    lines.into_iter().map(|(at, _)| at).zip(seen).collect()
}

/// What the lines of one function come to.
#[derive(Default)]
struct Tally {
    /// A line with code is changed.
    code: bool,
    /// Its first line is on the old side, on the new side.
    begins: [bool; 2],
    /// Seen on the old side, on the new side.
    on: [bool; 2],
}

fn by_hunk(hunk: &Hunk, known: &Known, found: Found) -> Touch {
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    let mut touch = Touch { functions: Vec::new(), outside: Vec::new(), unknown: 0, found };
    let mut changed: Vec<(usize, usize, Seen)> = Vec::new();
    let start =
        known.start.clone().unwrap_or_else(|| owner_by_heading(&hunk.heading, hunk.old_start));
    for (side_of, (without, mark)) in
        [(Mark::Added, Mark::Removed), (Mark::Removed, Mark::Added)].into_iter().enumerate()
    {
        for (at, seen) in side(hunk, without, known) {
            if let Owner::In(name) = &seen.owner {
                let tally = tallies.entry(name.clone()).or_default();
                tally.on[side_of] = true;
                tally.begins[side_of] |= seen.begins;
            }
            if hunk.lines[at].mark == mark && (seen.has_code || seen.has_comment) {
                changed.push((at, side_of, seen));
            }
        }
    }
    changed.sort_by_key(|(at, ..)| *at);
    let mut order = Vec::new();
    for (at, _, seen) in &changed {
        match &seen.owner {
            Owner::In(name) => {
                if !order.contains(name) {
                    order.push(name.clone());
                }
                if let Some(tally) = tallies.get_mut(name) {
                    tally.code |= seen.has_code;
                }
            }
            Owner::Outside if seen.has_code => {
                touch.outside.push(hunk.lines[*at].text.trim().into())
            }
            Owner::Unknown if seen.has_code => touch.unknown += 1,
            Owner::Outside | Owner::Unknown => {}
        }
    }
    let is_start = |name: &str| start == Owner::In(name.into());
    touch.functions = (order.into_iter())
        .filter_map(|name| {
            let tally = tallies.get(&name)?;
            let how = match (tally.on, tally.begins, tally.code) {
                ([false, true], [_, true], _) if !is_start(&name) => How::Added,
                ([true, false], [true, _], _) if !is_start(&name) => How::Removed,
                (_, _, true) => How::Changed,
                (_, _, false) => How::Comments,
            };
            Some(Touched { name, how })
        })
        .collect();
    touch
}
