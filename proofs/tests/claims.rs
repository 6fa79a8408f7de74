//! Every row is a test: `cargo test -p selvedge-proofs --test claims -- FILTER`, where FILTER is a
//! part of the row's name, with the rule's short name or with its sentence.
//!
//! What is found is compared with the reviewed line in `proofs/expected.tsv`; and the
//! counterexamples that a person should read, with the whole tables in `proofs/counterexamples/`.
//! `SELVEDGE_BLESS=1` writes both anew: read the difference. `SELVEDGE_SAMPLES=N` is how many
//! schedules the random engines try of a rule that holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use libtest_mimic::{Arguments, Failed, Trial};
use selvedge_explore::{Bounds, Engine};
use selvedge_models::{Kind, trees};
use selvedge_proofs::expected::{self, Line};
use selvedge_proofs::{Claim, Expected, Outcome, Row, Source, check, one_tree_after_another, rows};
use selvedge_trace::{Counterexample, ENDLESS_LOOPS_END, from_json, table, to_json};

/// The counterexamples to be read as a whole: those of the README's findings, and one for each
/// patch of the mail threads. By scenario and tree.
const SHOWN: &[(&str, &str)] = &[
    ("killed_waiter_before_plain_waiter", "v6.1"),
    ("timed_out_waiter_before_plain_waiter", "v6.1"),
    ("reader_behind_kcompactd", "avoid-unbounded-blocks-v2"),
    ("activate_then_mlock_and_drain", "v6.11"),
    ("activate_and_drain_vs_mlock_and_drain", "v6.12.117"),
    ("lru_add_drain_vs_mlock_and_munlock", "v6.12.117"),
    ("mlock_new_drain_vs_munlock", "v6.12.117"),
    ("install_vs_drain_all", "annotate-cpu-needs-drain-v2"),
    ("read_of_a_buffer", "never-block-on-page-lock"),
    ("killed_waiter_and_stealer", "v5.6"),
    ("install_vs_prep", "rfc-migrate-pending"),
    ("install_vs_prep", "rfc-migrate-pending-bool"),
    ("install_vs_prep", "rfc-migrate-pending-locked-check"),
    ("add_vs_prep", "rfc-migrate-pending"),
    ("two_migrators", "rfc-disable-lru-pagevec"),
    ("reclaim_after_activate", "lru-flag-before-batch-v4"),
    ("activate_vs_drain_and_isolate", "lru-flag-before-batch-v4"),
    ("second_folio_activated_later", "lru-flag-before-batch-v4"),
    ("lock_held_briefly", "never-block-on-page-lock"),
    ("read_of_a_folio", "v6.4"),
    ("release_vs_putback", "mobile-2015"),
    ("zs_page_putback_vs_destroy_empty_pool", "v5.3+356ea3865687"),
    ("jbd2_writes_to_loop_sync_light_ba", "v6.3-rc1"),
    ("flush_writes_one_bio_sync_ba", "v6.3-rc1"),
    ("migrate_vs_direct_io", "v6.12.117"),
    ("migrate_vs_one_fault", "migrate-marks-then-flushes"),
    ("disable_vs_cpu_down", "v6.12.117"),
];

/// Mutants that break no rule, and why: of each it is claimed that some rule holds in it.
const SURVIVORS: &[(&str, &str)] = &[
    ("v6.12.117-driver-without-flag", "PG_isolated, which is the core's, marks what is isolated"),
    (
        "lru-as-mobile-driver-fails",
        "what cannot be moved is put back by its callback: no mistake of the driver's",
    ),
    (
        "E2-no-first-look",
        "slab clears mapping before PG_slab, so that the second look finds what the first would",
    ),
    ("E2-no-first-smp-rmb", "the page lock acquires, and mapping is looked at again under it"),
    (
        "E5-no-mb-after-destroying",
        "set_current_state() in wait_event() is a barrier before the count is looked at again",
    ),
    ("v6.12.117-driver-fails", "what cannot be moved is put back: no mistake of the driver's"),
    ("v6.12.117-driver-sleeps", "lru_lock is dropped before the callback, which may sleep"),
    (
        "v6.4-compaction-ignores-nofs",
        "a reader has PF_MEMALLOC set besides, and v6.4 looks at that",
    ),
    (
        "never-block-on-page-lock-unprotected",
        "that patch never waits for a folio lock, so that no reader needs protection",
    ),
    ("v6.10-unprotected", "v6.10 does not wait for the lock of a folio that is being read"),
    ("v6.1-drain-read-under-mutex", "slower: the generation is there to save work"),
    ("v5.11-lru-add-no-mb", "PG_mlocked and PG_lru are bits of one word, which has one order"),
    ("v5.18-unforced-drain", "synchronize_rcu() orders the counter without the drain"),
    ("v6.1-unfairness-0-flags-relaxed", "list_empty_careful() orders what the flags do not"),
    ("v6.1-wakes-all", "slower: a thundering herd"),
];

/// What rows that ran under `SELVEDGE_BLESS` have found.
static BLESSED: Mutex<BTreeMap<String, Line>> = Mutex::new(BTreeMap::new());

static REVIEWED: LazyLock<Result<BTreeMap<String, Line>, String>> = LazyLock::new(|| {
    let lines = expected::read()?;
    Ok(lines.into_iter().map(|line| (line.name.clone(), line)).collect())
});

/// A test that is about all rows.
type AboutAll = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    let mut args = Arguments::from_args();
    let filter = if args.exact { None } else { args.filter.take() };
    let is_meant = |(claim, engine): &(&'static Claim, Engine)| {
        filter.as_ref().is_none_or(|filter| claim.is_meant_by(*engine, filter))
    };
    let trial = |(claim, engine): (&'static Claim, Engine)| {
        Trial::test(claim.name(engine), move || as_expected(claim, engine))
    };
    let mut meant: Vec<(&'static Claim, Engine)> = rows().filter(is_meant).collect();
    one_tree_after_another(&mut meant);
    let of_rows = meant.into_iter().map(trial);
    let about_all: [AboutAll; 7] = [
        ("every_holding_rule_has_a_tree_that_breaks_it", every_rule_can_fail),
        ("every_mutant_breaks_a_rule_or_is_known_not_to", every_mutant_is_killed),
        ("every_row_of_a_sheet_is_there", every_row_of_a_sheet_is_there),
        ("rows_have_different_names", names_differ),
        ("every_row_is_on_record", every_row_is_on_record),
        ("no_expectation_is_left_over", no_expectation_is_left_over),
        ("no_golden_file_is_left_over", no_golden_file_is_left_over),
    ];
    let about_all = about_all
        .into_iter()
        .filter(|(name, _)| filter.as_ref().is_none_or(|filter| name.contains(filter.as_str())));
    // Cannot be asked where the pages are not, and says so.
    let is_ignored = |name: &str| name == "every_row_of_a_sheet_is_there" && !facts().exists();
    let about_all =
        about_all.map(|(name, test)| Trial::test(name, test).with_ignored_flag(is_ignored(name)));
    let trials = of_rows.chain(about_all).collect();
    let conclusion = libtest_mimic::run(&args, trials);
    if is_blessing() {
        bless().expect("the expectations can be written");
    }
    conclusion.exit();
}

fn is_blessing() -> bool {
    std::env::var_os("SELVEDGE_BLESS").is_some()
}

/// How many schedules a random engine tries of a rule that holds. That it holds is what dpor says,
/// of every interleaving; the sample is there to contradict it. `SELVEDGE_SAMPLES=20000` is what
/// `selvedge check` tries.
const SAMPLES: u64 = 250;

/// A violation is looked for as long as `selvedge check` would.
fn samples(expected: Expected) -> Result<u64, String> {
    let wanted = match std::env::var("SELVEDGE_SAMPLES") {
        Ok(text) => text.parse().map_err(|error| format!("SELVEDGE_SAMPLES={text}: {error}"))?,
        Err(_) => SAMPLES,
    };
    Ok(if expected == Expected::Violated { Bounds::PROOF.samples } else { wanted })
}

/// A loop without a bound has no more than this: every fair schedule.
fn is_fair(row: &Row) -> bool {
    let verdict = &row.exploration.verdict;
    row.claim.rule == ENDLESS_LOOPS_END
        && verdict.bound().is_some_and(|bound| bound.starts_with("fair schedules"))
}

fn as_expected(claim: &'static Claim, engine: Engine) -> Result<(), Failed> {
    // What is found does not depend on it: the expectations are the same everywhere.
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let with = |samples| check(claim, engine, &Bounds { workers, samples, ..Bounds::PROOF });
    let mut row = with(samples(claim.expected)?);
    if !engine.is_exhaustive() && !matches!(row.outcome, Outcome::AsExpected) {
        // What the row is about may be rare: the sample was too small to come to it.
        row = with(Bounds::PROOF.samples);
    }
    match &row.outcome {
        Outcome::AsExpected
            if engine == Engine::Dpor && !row.exploration.is_complete() && !is_fair(&row) =>
        {
            Err(format!("not complete: {}", row.exploration.verdict).into())
        }
        Outcome::AsExpected => {
            as_reviewed(&row)?;
            golden(&row)
        }
        Outcome::Unexpected(what) => {
            let again = replay_with(&row);
            let table = row.exploration.counterexample.as_ref().map(table).unwrap_or_default();
            let expected = claim.expected.name();
            let (rule, source) = (claim.rule, claim.source);
            let asked = format!("expected {expected} ({source}), found: {what}");
            Err(format!("{asked}\nrule: {rule}\n{table}{again}").into())
        }
        Outcome::Undecided(why) => Err(format!("undecided: {why}").into()),
    }
}

/// Of a tree of yours nothing is written down: what is expected of it is what its claims say. Who
/// writes a new claim sees what it finds; that it is kept is for the whole run to ask.
fn as_reviewed(row: &Row) -> Result<(), Failed> {
    if trees::is_yours(row.claim.tree) {
        return Ok(());
    }
    let found = Line::of(row);
    if is_blessing() {
        BLESSED.lock().expect("not poisoned").insert(found.name.clone(), found);
        return Ok(());
    }
    match REVIEWED.as_ref()?.get(&found.name) {
        Some(reviewed) if *reviewed == found => Ok(()),
        Some(reviewed) => {
            let advice = "if that is right, run with SELVEDGE_BLESS=1";
            Err(format!("reviewed: {reviewed:#?}\nfound now: {found:#?}\n{advice}").into())
        }
        None => {
            eprintln!("{}", how_to_keep(row));
            Ok(())
        }
    }
}

/// What a row found of which nothing is on record, and how to keep it.
fn how_to_keep(row: &Row) -> String {
    let shown = row.exploration.counterexample.as_ref().map(table).unwrap_or_default();
    let (name, verdict) = (row.name(), &row.exploration.verdict);
    format!(
        "\n{name}: {verdict}, as expected, and not on record yet.\n\n{shown}\nto keep it, when \
         you have read it: {KEEP} -- {name}\n"
    )
}

/// Writes what rows found.
const KEEP: &str = "SELVEDGE_BLESS=1 cargo test -p selvedge-proofs --test claims";

/// The whole run wants what each row found, and each counterexample that is shown, on record.
fn every_row_is_on_record() -> Result<(), Failed> {
    let is_yours = |claim: &Claim| trees::is_yours(claim.tree);
    let reviewed = REVIEWED.as_ref()?;
    let names = rows().filter(|(claim, _)| !is_yours(claim)).map(|(claim, e)| claim.name(e));
    let mut missing: Vec<String> = names.filter(|name| !reviewed.contains_key(name)).collect();
    let files = golden_names().into_iter().map(|name| golden_dir().join(format!("{name}.txt")));
    missing.extend(files.filter(|file| !file.exists()).map(|file| file.display().to_string()));
    if missing.is_empty() || is_blessing() {
        return Ok(());
    }
    Err(format!("not on record: {missing:#?}\nto keep them: {KEEP} -- PART_OF_A_NAME").into())
}

/// Writes what was found, and what was known of the rows that did not run, in the order of the
/// rows.
fn bless() -> Result<(), String> {
    let blessed = BLESSED.lock().expect("not poisoned");
    let reviewed = REVIEWED.as_ref();
    let line = |name: String| {
        blessed.get(&name).or_else(|| reviewed.ok().and_then(|lines| lines.get(&name)))
    };
    let lines = rows().filter_map(|(claim, engine)| line(claim.name(engine)));
    let path = expected::path();
    fs::write(&path, expected::print(lines)).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where the sheets are.
fn facts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/facts")
}

fn golden_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("counterexamples")
}

fn golden_name(claim: &Claim, engine: Engine) -> String {
    format!("{}.{}.{}.{engine}", claim.subsystem, claim.scenario.name, claim.tree.name)
}

fn has_golden(claim: &Claim, engine: Engine) -> bool {
    claim.expected == Expected::Violated
        && !trees::is_yours(claim.tree)
        && claim.engines[0] == engine
        && SHOWN.contains(&(claim.scenario.name, claim.tree.name))
}

/// The names of the golden files that there should be.
fn golden_names() -> Vec<String> {
    let shown = rows().filter(|(claim, engine)| has_golden(claim, *engine));
    shown.map(|(claim, engine)| golden_name(claim, engine)).collect()
}

fn golden(row: &Row) -> Result<(), Failed> {
    let Some(cx) = &row.exploration.counterexample else { return Ok(()) };
    if !has_golden(row.claim, row.engine) {
        return Ok(());
    }
    let stem = golden_dir().join(golden_name(row.claim, row.engine));
    let is_new = !PathBuf::from(format!("{}.txt", stem.display())).exists();
    if is_new && !is_blessing() {
        eprintln!("{}", how_to_keep(row));
        return Ok(());
    }
    let read_back = from_json("the counterexample", &to_json(cx))?;
    if read_back != *cx {
        return Err("the JSON does not say what was found".into());
    }
    compare(&stem, "txt", &table(cx))?;
    // A reviewed file is of the models as they are: this test says so. Their fingerprint would
    // change with every edit of a function, and of a tree of yours too.
    compare(&stem, "json", &to_json(&Counterexample { model: None, ..cx.clone() }))
}

/// Writes the counterexample to a file, and says which command runs it again.
fn replay_with(row: &Row) -> String {
    let Some(cx) = &row.exploration.counterexample else { return String::new() };
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("counterexamples");
    let file = dir.join(format!("{}.json", row.name().replace("::", ".")));
    match fs::create_dir_all(&dir).and_then(|()| fs::write(&file, to_json(cx))) {
        Ok(()) => {
            let file = file.display();
            format!(
                "to run this again: cargo run -- replay {file}\n\
                 to know why it fails: cargo run -- explain {file}\n"
            )
        }
        Err(error) => format!("{} cannot be written: {error}\n", file.display()),
    }
}

fn compare(stem: &Path, extension: &str, found: &str) -> Result<(), Failed> {
    let file = PathBuf::from(format!("{}.{extension}", stem.display()));
    if is_blessing() {
        fs::create_dir_all(golden_dir())?;
        fs::write(&file, found)?;
        return Ok(());
    }
    let reviewed = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    if reviewed != found {
        let file = file.display();
        return Err(format!(
            "{file} differs; found now:\n{found}\nif that is right, run with SELVEDGE_BLESS=1"
        )
        .into());
    }
    Ok(())
}

fn no_golden_file_is_left_over() -> Result<(), Failed> {
    let wanted = golden_names();
    for entry in fs::read_dir(golden_dir())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let stem = name.trim_end_matches(".txt").trim_end_matches(".json");
        if !wanted.iter().any(|wanted| wanted == stem) {
            return Err(format!("{name} belongs to no claim that is shown").into());
        }
    }
    for (scenario, tree) in SHOWN {
        let part = format!(".{scenario}.{tree}.");
        if !wanted.iter().any(|name| name.contains(&part)) {
            return Err(format!("shown, but not violated: {scenario} in {tree}").into());
        }
    }
    Ok(())
}

fn no_expectation_is_left_over() -> Result<(), Failed> {
    if is_blessing() {
        return Ok(());
    }
    let names: BTreeSet<String> = rows().map(|(claim, engine)| claim.name(engine)).collect();
    match REVIEWED.as_ref()?.keys().find(|name| !names.contains(*name)) {
        Some(name) => Err(format!("proofs/expected.tsv: no row of this name: {name}").into()),
        None => Ok(()),
    }
}

/// A check that cannot fail proves nothing.
fn every_rule_can_fail() -> Result<(), Failed> {
    for (claim, _) in rows().filter(|(claim, _)| claim.expected == Expected::Holds) {
        let breaks =
            |other: &Claim| other.rule == claim.rule && other.expected == Expected::Violated;
        if !rows().any(|(other, _)| breaks(other)) {
            return Err(format!("no tree is expected to break: {}", claim.rule).into());
        }
    }
    Ok(())
}

/// A mutant that nobody notices says that a rule or a scenario is missing, or that it is no
/// mistake.
fn every_mutant_is_killed() -> Result<(), Failed> {
    let is_killed = |name: &str| {
        let breaks = |claim: &Claim| claim.expected == Expected::Violated;
        rows().any(|(claim, _)| claim.tree.name == name && breaks(claim))
    };
    let mutants = trees::ALL.iter().filter(|tree| tree.kind == Kind::Mutant);
    let (killed, alive): (Vec<&str>, Vec<&str>) =
        mutants.map(|tree| tree.name).partition(|name| is_killed(name));
    let known = |name: &str| SURVIVORS.iter().any(|(survivor, _)| *survivor == name);
    let unknown: Vec<&str> = alive.into_iter().filter(|name| !known(name)).collect();
    if !unknown.is_empty() {
        return Err(format!("break no rule, and are not known not to: {unknown:#?}").into());
    }
    let holds = |name: &str| rows().any(|(claim, _)| claim.tree.name == name);
    let wrong = SURVIVORS.iter().find(|(name, _)| killed.contains(name) || !holds(name));
    match wrong {
        Some((name, _)) => Err(format!("breaks a rule, or nothing holds in it: {name}").into()),
        None => Ok(()),
    }
}

/// Whoever doubts an expectation can look it up.
fn every_row_of_a_sheet_is_there() -> Result<(), Failed> {
    let cited: BTreeSet<(&str, &str)> = rows()
        .filter_map(|(claim, _)| match claim.source {
            Source::Sheet { page, row, .. } => Some((page, row)),
            _ => None,
        })
        .collect();
    let mut missing = Vec::new();
    for (page, row) in cited {
        let file = facts().join(format!("{page}.md"));
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        if !text.contains(&format!("<a id=\"{row}\"></a>")) {
            missing.push(format!("{page}.md#{row}"));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(format!("no such row: {missing:#?}").into()) }
}

fn names_differ() -> Result<(), Failed> {
    let mut names: Vec<String> = rows().map(|(claim, engine)| claim.name(engine)).collect();
    names.extend(rows().map(|(claim, engine)| claim.long_name(engine)));
    names.extend(golden_names());
    names.sort();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => {
            Err(format!("two rows, or two golden files, of one name: {}", pair[0]).into())
        }
        None => Ok(()),
    }
}
