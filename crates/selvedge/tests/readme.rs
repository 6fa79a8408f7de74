//! The tables of README.md and of the pages are generated, and current. `SELVEDGE_BLESS=1` writes
//! them anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use selvedge_explore::{Engine, MemoryModel};
use selvedge_models::functions::FILES;
use selvedge_models::{Kind, trees};
use selvedge_proofs::claims::weak::why_not;
use selvedge_proofs::expected::{self, Line};
use selvedge_proofs::{Claim, Source, rows};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The rows that the README shows: scenario and tree.
const TEN: &[(&str, &str)] = &[
    ("install_vs_prep", "rfc-migrate-pending"),
    ("install_vs_prep", "v6.1"),
    ("add_vs_prep", "rfc-migrate-pending"),
    ("add_vs_prep", "v6.1"),
    ("activated_then_pinned", "v6.10"),
    ("activated_then_pinned", "v6.12.117"),
    ("mlock_new_drain_vs_munlock", "v6.12.117"),
    ("add_and_drain_vs_drain", "v6.1-drain-no-mb-before-read"),
    ("migrate_vs_lookup", "v6.1"),
    ("two_cpus_try_once", "v6.1-trylock-relaxed"),
];

/// In this file, the text between the markers of this name is `wanted`.
fn expect_block(file: &str, name: &str, wanted: &str) {
    let path = root().join(file);
    let text = fs::read_to_string(&path).expect(file);
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the begin of the block");
    let (found, after) = rest.split_once(&end).expect("the end of the block");
    if std::env::var_os("SELVEDGE_BLESS").is_some() {
        let blessed = format!("{before}{begin}{wanted}{end}{after}");
        fs::write(&path, blessed).expect("the file can be written");
    } else {
        assert_eq!(found, wanted, "the {name} of {file} is not current: run with SELVEDGE_BLESS=1");
    }
}

const HEAD: &str = "| rule (scenario) | tree | dpor, SC | loom, C11 | graph, LKMM | expected by |\n\
                    |---|---|---|---|---|---|\n";

/// A row for each rule, scenario and tree; in a cell the verdict and the number of executions, as
/// `proofs/expected.tsv` has them: the test of the claims sees to it that they are right.
fn matrix(reviewed: &[Line]) -> String {
    let mut questions: Vec<(&str, &str)> = Vec::new();
    let mut trees: BTreeMap<(&str, &str), Vec<&Claim>> = BTreeMap::new();
    for (claim, engine) in rows().filter(|(claim, _)| !trees::is_yours(claim.tree)) {
        let question = (claim.rule.0, claim.scenario.name);
        if !questions.contains(&question) {
            questions.push(question);
        }
        let claims = trees.entry(question).or_default();
        let is_new = claims.iter().all(|known| known.tree.name != claim.tree.name);
        if COLUMNS.contains(&engine) && is_new {
            claims.push(claim);
        }
    }
    let mut out = String::from(HEAD);
    for question in questions {
        let mut shown = format!("{} *({})*", question.0, question.1);
        for claim in &trees[&question] {
            let [dpor, loom, graph] = COLUMNS.map(|engine| cell(reviewed, claim, engine));
            let (tree, source) = (claim.tree.name, linked(claim.source));
            out.push_str(&format!(
                "| {shown} | `{tree}` | {dpor} | {loom} | {graph} | {source} |\n"
            ));
            shown.clear();
        }
    }
    out
}

/// The source; a row of a sheet with a link to it.
fn linked(source: Source) -> String {
    match source {
        Source::Sheet { page, row, .. } => format!("[{source}](facts/{page}.md#{row})"),
        other => other.to_string(),
    }
}

const COLUMNS: [Engine; 3] = [Engine::Dpor, Engine::Loom, Engine::Graph];

/// What is known of the claim's rule, scenario and tree under this engine.
fn cell(reviewed: &[Line], claim: &Claim, engine: Engine) -> String {
    let name = claim.name(engine);
    let Some(line) = reviewed.iter().find(|line| line.name == name) else { return "–".into() };
    let executions = line.executions.expect("a complete engine");
    match line.verdict.as_str() {
        "violated" => format!("**violated** ({executions})"),
        verdict => format!("{verdict} ({executions})"),
    }
}

/// The rows of the matrix that the README shows.
fn ten(matrix: &str) -> String {
    let mut out = String::from(HEAD);
    let (mut rule, mut last) = (String::new(), String::new());
    // A row that has no rule is about that of the row before.
    let rows: Vec<(String, &str)> = matrix
        .lines()
        .skip(2)
        .map(|line| {
            let (first, rest) = line[2..].split_once(" | ").expect("cells");
            if !first.trim().is_empty() {
                rule = first.to_string();
            }
            (rule.clone(), rest)
        })
        .collect();
    for (scenario, tree) in TEN {
        let is_it = |(rule, rest): &&(String, &str)| {
            rule.ends_with(&format!("*({scenario})*")) && rest.starts_with(&format!("`{tree}` |"))
        };
        let (rule, rest) =
            rows.iter().find(is_it).unwrap_or_else(|| panic!("no row {scenario}, {tree}"));
        let shown = if *rule == last { "" } else { rule.as_str() };
        out.push_str(&format!("| {shown} | {rest}\n"));
        last.clone_from(rule);
    }
    out
}

/// A heading for each subsystem, and what is known of its rules in releases.
fn by_subsystem(reviewed: &[Line]) -> String {
    let verdict: BTreeMap<&str, &str> =
        reviewed.iter().map(|line| (line.name.as_str(), line.verdict.as_str())).collect();
    let all: Vec<(&Claim, Engine)> =
        rows().filter(|(claim, _)| !trees::is_yours(claim.tree)).collect();
    let mut subsystems: Vec<&str> = Vec::new();
    for (claim, _) in &all {
        if !subsystems.contains(&claim.subsystem) {
            subsystems.push(claim.subsystem);
        }
    }
    let mut out = String::new();
    for subsystem in subsystems {
        let of: Vec<&(&Claim, Engine)> =
            all.iter().filter(|(claim, _)| claim.subsystem == subsystem).collect();
        let scenarios: BTreeSet<&str> = of.iter().map(|(claim, _)| claim.scenario.name).collect();
        out.push_str(&format!(
            "### {subsystem}\n\n{} rows, {} scenarios.\n\n{SUBSYSTEM_HEAD}",
            of.len(),
            scenarios.len()
        ));
        let mut rules: Vec<&str> = Vec::new();
        for (claim, _) in &of {
            if !rules.contains(&claim.rule.0) {
                rules.push(claim.rule.0);
            }
        }
        for rule in rules {
            let of_rule = of.iter().filter(|(claim, _)| claim.rule.0 == rule);
            out.push_str(&rule_line(rule, of_rule.map(|row| **row), &verdict));
        }
        out.push('\n');
    }
    out
}

const SUBSYSTEM_HEAD: &str = "| rule | scenarios | holds in | violated in | other trees that break it \
                              |\n|---|---|---|---|---|\n";

/// What is known of a rule in a release.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Holds,
    HoldsWithin,
    ViolatedUnderWeakMemory,
    Violated,
}

/// In which releases all of the rule's scenarios hold, and in which some is violated.
fn rule_line<'a>(
    rule: &str,
    rows: impl Iterator<Item = (&'a Claim, Engine)>,
    verdict: &BTreeMap<&str, &str>,
) -> String {
    let (mut scenarios, mut breaks) = (BTreeSet::new(), BTreeSet::new());
    // By the order of the list of trees; in each the worst that is known of it.
    let mut releases: BTreeMap<usize, Known> = BTreeMap::new();
    for (claim, engine) in rows {
        scenarios.insert(claim.scenario.name);
        let name = claim.name(engine);
        let Some(&found) = verdict.get(name.as_str()) else { continue };
        let known = match found {
            "violated" if engine.memory_model() != MemoryModel::Sc => {
                Known::ViolatedUnderWeakMemory
            }
            "violated" => Known::Violated,
            "holds" => Known::Holds,
            _ => Known::HoldsWithin,
        };
        if claim.tree.kind != Kind::Release {
            if known >= Known::ViolatedUnderWeakMemory {
                breaks.insert(claim.tree.name);
            }
        } else if engine.is_exhaustive() || known >= Known::ViolatedUnderWeakMemory {
            let at = trees::ALL.iter().position(|tree| tree.name == claim.tree.name);
            let worst = releases.entry(at.expect("a tree of the list")).or_insert(known);
            *worst = known.max(*worst);
        }
    }
    let named = |is_violated: bool| {
        let is_it = |known: Known| (known >= Known::ViolatedUnderWeakMemory) == is_violated;
        let of = releases.iter().filter(|(_, known)| is_it(**known));
        let mark = |known: &Known| match known {
            Known::HoldsWithin => "\\*",
            Known::ViolatedUnderWeakMemory => "†",
            Known::Holds | Known::Violated => "",
        };
        let names = of.map(|(at, known)| format!("{}{}", trees::ALL[*at].name, mark(known)));
        let names: Vec<String> = names.collect();
        if names.is_empty() { "–".into() } else { names.join(", ") }
    };
    format!(
        "| {rule} | {} | {} | {} | {} |\n",
        scenarios.len(),
        named(false),
        named(true),
        breaks.len()
    )
}

/// What dpor is asked and `graph` is not, by the reason; a scenario that is asked in some trees has
/// those in which it is not.
fn not_asked_of_graph() -> String {
    let is_known = |claim: &Claim| !trees::is_yours(claim.tree);
    let asked: BTreeSet<(&str, &str)> = rows()
        .filter(|(_, engine)| *engine == Engine::Graph)
        .map(|(claim, _)| (claim.scenario.name, claim.tree.name))
        .collect();
    let mut why: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (claim, _) in rows().filter(|(claim, e)| *e == Engine::Dpor && is_known(claim)) {
        let question = (claim.scenario.name, claim.tree.name);
        if let Some(reason) = why_not(claim).filter(|_| !asked.contains(&question)) {
            let scenarios = why.entry(reason).or_default();
            scenarios.entry(question.0).or_default().insert(question.1);
        }
    }
    let mut out = String::from("| why not | scenarios |\n|---|---|\n");
    for (reason, scenarios) in why {
        let name = |(scenario, trees): (&str, BTreeSet<&str>)| {
            let is_asked_somewhere = asked.iter().any(|(name, _)| *name == scenario);
            let trees: Vec<String> = trees.iter().map(|tree| format!("`{tree}`")).collect();
            let of =
                if is_asked_somewhere { format!(" ({})", trees.join(", ")) } else { "".into() };
            format!("{scenario}{of}")
        };
        let names: Vec<String> = scenarios.into_iter().map(name).collect();
        out.push_str(&format!("| {reason} | {} |\n", names.join(", ")));
    }
    out
}

/// What each file of models was written after, and what it says it leaves out.
fn models() -> String {
    let mut out = String::from("| file | after | leaves out, scales down |\n|---|---|---|\n");
    for notes in FILES.iter().filter(|notes| !notes.source.is_empty()) {
        let lines = [notes.left_out, notes.scaled].map(|text| text.trim_end_matches('.'));
        let said: Vec<&str> = lines.into_iter().filter(|text| !text.is_empty()).collect();
        let file = notes.file.trim_start_matches("models/src/");
        let cell = |text: &str| text.replace('|', "\\|");
        let (after, said) = (cell(notes.source.trim_end_matches('.')), cell(&said.join("; ")));
        out.push_str(&format!("| `{file}` | {after} | {said} |\n"));
    }
    out
}

#[test]
fn the_readme_and_the_pages_are_current() {
    let reviewed = expected::read().expect("proofs/expected.tsv");
    let matrix = matrix(&reviewed);
    expect_block("docs/matrix.md", "matrix", &matrix);
    expect_block("README.md", "ten rows", &ten(&matrix).replace("](facts/", "](docs/facts/"));
    expect_block("docs/proven.md", "subsystems", &by_subsystem(&reviewed));
    expect_block("docs/fidelity.md", "models", &models());
    expect_block("docs/memory-model.md", "not asked of graph", &not_asked_of_graph());
    for (name, card) in [("kernel's tests", "conformance.md"), ("twins", "twins.md")] {
        let file = root().join("crates/litmus").join(card);
        let card = fs::read_to_string(file).expect("the card");
        expect_block("docs/litmus.md", &format!("card of the {name}"), &card);
    }
    let golden =
        "proofs/counterexamples/migrate_pending.install_vs_prep.rfc-migrate-pending.dpor.txt";
    let table = fs::read_to_string(root().join(golden)).expect("the golden file");
    expect_block("README.md", "table", &format!("```text\n{table}```\n"));
}

/// The mails to linux-mm, each with the counterexample that it shows.
const MAILS: &[(&str, &str)] = &[
    ("killed-waiter", "folio_wait.killed_waiter_before_plain_waiter.v6.1.dpor"),
    ("stranded-folio", "lru_operations.mlock_new_drain_vs_munlock.v6.12.117.dpor"),
    ("cpu-needs-drain", "races.install_vs_drain_all.annotate-cpu-needs-drain-v2.dpor"),
    ("copy-after-look", "references.migrate_vs_direct_io.v6.12.117.graph"),
    ("cpu-goes-down", "migrate_pending.disable_vs_cpu_down.v6.12.117.dpor"),
    ("fault-before-entry", "references.migrate_vs_one_fault.migrate-marks-then-flushes.dpor"),
];

/// What a list takes: a subject, no line that a mailer would break, and the table as it was found.
#[test]
fn the_mails_show_the_tables_that_were_found() {
    let findings = fs::read_to_string(root().join("docs/findings.md")).expect("the findings");
    let files = fs::read_dir(root().join("docs/findings/mails")).expect("mails").flatten();
    let mut names: Vec<String> =
        files.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut known: Vec<String> = MAILS.iter().map(|(mail, _)| format!("{mail}.txt")).collect();
    known.sort();
    assert_eq!(names, known, "each mail is of a counterexample, and of each there is a mail");
    let mut of_table = findings.lines().filter(|line| line.starts_with("| ")).skip(1);
    let unsaid = of_table.find(|l| !l.contains("| none: ") && !l.contains("(findings/mails/"));
    assert_eq!(unsaid, None, "docs/findings.md: neither a mail, nor why there is none");
    for (mail, golden) in MAILS {
        let file = format!("docs/findings/mails/{mail}.txt");
        let text = fs::read_to_string(root().join(&file)).expect(&file);
        let golden = format!("proofs/counterexamples/{golden}.txt");
        let table = fs::read_to_string(root().join(&golden)).expect(&golden);
        let indented: String = (table.lines())
            .map(|line| if line.is_empty() { "\n".into() } else { format!("  {line}\n") })
            .collect();
        assert!(text.contains(&indented), "{file} does not show {golden}: copy it anew");
        assert!(text.lines().any(|line| line.starts_with("Subject: mm")), "{file}: no subject");
        assert!(text.contains("To reproduce, with Selvedge"), "{file}: how is it reproduced?");
        assert!(findings.contains(&format!("(findings/mails/{mail}.txt)")), "{file}: no link");
        // git keeps a title on one line, whatever its length.
        let mut of_prose = text.lines().filter(|line| !line.starts_with("Fixes: "));
        let long = of_prose.find(|line| line.chars().count() > 78);
        assert_eq!(long, None, "{file}: a line that mailers break");
    }
}
