//! The verdicts that differ, folded so that they fit a screen: what changes to what is said once, a
//! rule once below it, and scenarios whose names begin with the same words share them, as a shell
//! would expand them.

use std::fmt::Write;

use selvedge_explore::Engine;

use super::Compared;

/// Lines are at most so long, unless one word is longer.
const WIDTH: usize = 96;

/// How many words names must share to be folded.
const SHARED_MIN: usize = 2;

/// Scenarios of one rule that come out differently in the same way.
struct Group<'a> {
    /// What changes, under which engines: `violated -> holds (dpor)`.
    change: String,
    rule: &'a str,
    scenarios: Vec<&'a str>,
}

/// The verdicts that differ: the change, below it the rule, with the scenarios.
pub(super) fn verdicts(compared: &[Compared]) -> String {
    let groups = groups(compared);
    let mut changes: Vec<&str> = groups.iter().map(|group| group.change.as_str()).collect();
    changes.dedup();
    let mut out = String::new();
    for change in first_of_each(&changes) {
        // Writing to a string cannot fail.
        let _ = writeln!(out, "  {change}");
        for group in groups.iter().filter(|group| group.change == change) {
            let words = std::iter::once(format!("{}:", group.rule)).chain(folded(&group.scenarios));
            filled(&mut out, words);
        }
    }
    out
}

fn groups(compared: &[Compared]) -> Vec<Group<'_>> {
    let differing: Vec<&Compared> = compared.iter().filter(|c| c.differs()).collect();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (at, c) in differing.iter().enumerate() {
        let is_same = |other: &&&Compared| {
            (other.claim.rule, other.claim.scenario.name, &other.verdicts)
                == (c.claim.rule, c.claim.scenario.name, &c.verdicts)
        };
        if differing[..at].iter().any(|other| is_same(&other)) {
            continue;
        }
        let engines: Vec<&str> =
            differing[at..].iter().filter(is_same).map(|c| Engine::name(c.engine)).collect();
        let [from, to] = &c.verdicts;
        let change = format!("{from} -> {to} ({})", engines.join(", "));
        let (rule, scenario) = (c.claim.rule.0, c.claim.scenario.name);
        match groups.iter_mut().find(|group| group.change == change && group.rule == rule) {
            Some(group) => group.scenarios.push(scenario),
            None => groups.push(Group { change, rule, scenarios: vec![scenario] }),
        }
    }
    groups
}

fn first_of_each<'a>(texts: &[&'a str]) -> Vec<&'a str> {
    let is_first = |(at, text): &(usize, &&'a str)| !texts[..*at].contains(text);
    texts.iter().enumerate().filter(is_first).map(|(_, &text)| text).collect()
}

/// `add_vs_{drain,isolate}, munlock`, as words of a line: each ends with its comma.
fn folded(names: &[&str]) -> Vec<String> {
    let words = |name: &str| name.split('_').map(String::from).collect::<Vec<_>>();
    let mut left: Vec<Vec<String>> = names.iter().map(|name| words(name)).collect();
    let mut items: Vec<Vec<String>> = Vec::new();
    while !left.is_empty() {
        let first = left[0].clone();
        let is_of_family = |name: &Vec<String>| shared(&first, name) >= SHARED_MIN;
        let (family, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(is_of_family);
        left = rest;
        items.push(match family.as_slice() {
            [] | [_] => vec![first.join("_")],
            several => braces(several),
        });
        left.retain(|name| *name != first);
    }
    let last = items.len().saturating_sub(1);
    let ended = |(at, mut item): (usize, Vec<String>)| {
        let is_last = at == last;
        item.iter_mut().next_back().expect("a word").push_str(if is_last { "" } else { "," });
        item
    };
    items.into_iter().enumerate().flat_map(ended).collect()
}

/// How many words two names begin with, both; each has one left over.
fn shared(a: &[String], b: &[String]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    same.min(a.len() - 1).min(b.len() - 1)
}

/// `begins_with_{this,that}`: a word for each name.
fn braces(names: &[Vec<String>]) -> Vec<String> {
    let prefix = names.iter().map(|name| shared(&names[0], name)).min().unwrap_or_default();
    let last = names.len() - 1;
    let of = |(at, name): (usize, &Vec<String>)| {
        let begins = if at == 0 { names[0][..prefix].join("_") + "_{" } else { String::new() };
        let ends = if at == last { "}" } else { "," };
        begins + &name[prefix..].join("_") + ends
    };
    names.iter().enumerate().map(of).collect()
}

/// Writes the words as a paragraph. What ends with a comma within braces stays a word of a shell
/// if the next is on the same line.
fn filled(out: &mut String, words: impl Iterator<Item = String>) {
    let mut line = String::from("   ");
    let (mut is_empty, mut in_braces) = (true, false);
    for word in words {
        let space = if in_braces { "" } else { " " };
        if !is_empty && line.len() + space.len() + word.len() > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("      ");
            line.push_str(&word);
        } else {
            line.push_str(space);
            line.push_str(&word);
        }
        is_empty = false;
        in_braces = (in_braces || word.contains('{')) && !word.contains('}');
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_begin_alike_share_their_words() {
        let names = ["loop_sync_light_ba", "loop_sync_ab", "drain", "loop_sync_ba", "loop_other"];
        let words = folded(&names);
        assert_eq!(words.join(""), "loop_sync_{light_ba,ab,ba},drain,loop_other");
        // A name that another one begins with keeps a word of its own.
        assert_eq!(folded(&["a_b_c", "a_b_c_d"]).join(""), "a_b_{c,c_d}");
        assert!(folded(&[]).is_empty());
    }

    #[test]
    fn a_paragraph_is_as_wide_as_a_screen() {
        let names: Vec<String> = (0..40).map(|n| format!("scenario_number_{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut out = String::new();
        filled(&mut out, std::iter::once("a rule:".to_string()).chain(folded(&names)));
        assert!(out.lines().count() > 1 && out.lines().all(|line| line.len() <= WIDTH), "{out}");
        let joined: String = out.split_whitespace().skip(2).collect();
        assert!(joined.starts_with("scenario_number_{0,1,") && joined.ends_with(",39}"), "{out}");
    }
}
