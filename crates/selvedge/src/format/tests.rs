//! Every format, of rows that came out in every way there is, read as its readers read it.

use selvedge_explore::{Bounds, Engine, Verdict};
use selvedge_models::Tree;
use selvedge_proofs::{Claim, Expected, Outcome, Row, Scenario, Source, check, rows};
use selvedge_trace::Rule;
use serde_json::Value;

use super::CheckFormat::{Github, Json, Junit, Ktap, Markdown, Sarif, Text};
use super::{About, Beside, Kills, index, markdown, step_summary};

/// A row of the proofs, checked with another expectation than theirs, perhaps.
fn row(scenario: &str, tree: &str, expected: Expected) -> Row {
    let is_it = |claim: &Claim| claim.scenario.name == scenario && claim.tree.name == tree;
    let (claim, engine) =
        rows().find(|(claim, engine)| is_it(claim) && *engine == Engine::Dpor).expect("a row");
    check(Box::leak(Box::new(Claim { expected, ..*claim })), engine, &Bounds::PROOF)
}

const SUBSYSTEM: Option<&str> = Some("migrate_pending");
const BROKEN: &str = "rfc-migrate-pending";

/// As expected: holds, violated. Unexpected: violated, holds. Undecided.
pub fn one_of_each() -> Vec<Row> {
    let mut undecided = row("install_vs_prep", "v5.18", Expected::Holds);
    undecided.exploration.verdict = Verdict::Undecided("the limit of 5 executions".into());
    undecided.outcome = Outcome::Undecided("the limit of 5 executions".into());
    vec![
        row("install_vs_prep", "v6.1", Expected::Holds),
        row("install_vs_prep", "v5.11", Expected::Violated),
        row("install_vs_prep", BROKEN, Expected::Holds),
        row("install_vs_prep", "v6.12.117", Expected::Violated),
        undecided,
    ]
}

/// A line of a counterexample's table that stands in no other line of a report.
const OF_TABLE: &str = "  ^^^^ broken here";

#[test]
fn the_rows_are_what_they_are_called() {
    let outcomes: Vec<Outcome> = one_of_each().into_iter().map(|row| row.outcome).collect();
    assert!(
        matches!(
            outcomes.as_slice(),
            [
                Outcome::AsExpected,
                Outcome::AsExpected,
                Outcome::Unexpected(_),
                Outcome::Unexpected(_),
                Outcome::Undecided(_)
            ]
        ),
        "{outcomes:?}"
    );
}

#[test]
fn what_a_tree_of_yours_changes_is_a_changed_verdict() {
    let mut changed = row("install_vs_prep", BROKEN, Expected::Holds);
    let claim = Claim { source: Source::Base("v5.11"), ..*changed.claim };
    changed.claim = Box::leak(Box::new(claim));
    let text = Text.render(&[changed]);
    let says =
        "changed verdict: v5.11 holds, rfc-migrate-pending violated: no bh stays in a bh_lru";
    assert!(text.contains(says) && text.contains(OF_TABLE), "{text}");
}

#[test]
fn what_a_tree_of_yours_mends_is_named_and_no_failure() {
    let mut mended = row("add_vs_prep", BROKEN, Expected::Violated);
    let claim = Claim { source: Source::Base("v5.11"), ..*mended.claim };
    mended = check(Box::leak(Box::new(claim)), mended.engine, &Bounds::PROOF);
    let rows = [mended];
    let text = Text.render(&rows);
    let says = "Mended: violated in v5.11, holds in rfc-migrate-pending:\n  migrate_pending::";
    assert!(text.contains(says) && text.contains("1 as expected"), "{text}");
    assert!(Json.render(&rows).contains("\"mended\": true"));
    assert!(!Ktap.render(&rows).contains("XFAIL"));
}

#[test]
fn text_shows_each_unexpected_row_and_names_it_last() {
    let mut rows = one_of_each();
    rows.push(row("install_vs_prep", "v5.13", Expected::Holds));
    let text = Text.render(&rows);
    let tables = text.matches("Broken: no bh stays in a bh_lru").count();
    assert_eq!(tables, 2, "both that should hold, and no other: {text}");
    let (_, last) = text.rsplit_once("\nUnexpected:\n").expect("named at the end");
    for tree in [BROKEN, "v5.13"] {
        assert!(last.contains(&format!("::{tree}::dpor\n    expected holds")), "{last}");
    }
    assert!(last.contains("found violated: no bh stays in a bh_lru while"), "the rule: {last}");
    assert!(last.contains("expected violated (kernel-lru:B4), found holds"), "{last}");
    assert!(last.contains("Undecided:\n"), "{last}");
    let calm = Text.render(&rows[..2]);
    assert!(calm.contains("is violated, as expected:") && !calm.contains("Unexpected:"), "{calm}");
}

#[test]
fn junit_is_read_by_another_parser() {
    let xml = Junit.render(&one_of_each());
    let read = roxmltree::Document::parse(&xml).expect("XML");
    let counts = |node: roxmltree::Node| {
        ["tests", "failures", "errors", "skipped"]
            .map(|name| node.attribute(name).and_then(|count| count.parse::<u32>().ok()))
    };
    let root = read.root_element();
    let of_all = [Some(5), Some(2), Some(1), None];
    assert_eq!((root.tag_name().name(), counts(root)), ("testsuites", of_all));
    let suites: Vec<_> = root.children().filter(|node| node.is_element()).collect();
    let [suite] = suites.as_slice() else { panic!("{xml}") };
    assert_eq!((suite.tag_name().name(), suite.attribute("name")), ("testsuite", SUBSYSTEM));
    assert_eq!(counts(*suite), [5, 2, 1, 0].map(Some));
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let result = |at: usize| {
        let known = ["failure", "error", "skipped"];
        let found = cases[at].children().find(|node| known.contains(&node.tag_name().name()));
        found.map(|node| {
            (node.tag_name().name(), node.attribute("message").unwrap_or_default(), node)
        })
    };
    assert!(result(0).is_none() && result(1).is_none(), "{xml}");
    let (kind, message, node) = result(2).expect("unexpected");
    assert_eq!(kind, "failure");
    assert!(message.starts_with("expected holds (kernel-lru:B1), found violated: no bh"));
    assert!(node.text().is_some_and(|text| text.contains(OF_TABLE)), "the table: {xml}");
    assert_eq!(result(3).expect("unexpected").0, "failure");
    assert_eq!(result(4).expect("undecided").0, "error");
    assert!(cases.iter().all(|case| case.attribute("classname") == SUBSYSTEM));
    assert!(cases.iter().all(|case| case.attribute("time").is_some()));
}

/// What a line of KTAP says of a test.
#[derive(Debug, PartialEq)]
struct Result<'a> {
    ok: bool,
    directive: &'a str,
}

/// Reads one nest of KTAP 1, strictly: version, plan, and as many results, numbered from 1. What is
/// further indented belongs to the next result. Other lines must be diagnostics.
fn read_ktap<'a>(lines: &[&'a str], indent: &str) -> Vec<(Result<'a>, Vec<&'a str>)> {
    assert_eq!(lines[0], format!("{indent}KTAP version 1"));
    let plan = lines[1].strip_prefix(&format!("{indent}1..")).expect("a plan");
    let (mut results, mut nested) = (Vec::new(), Vec::new());
    for &line in &lines[2..] {
        let own = line.strip_prefix(indent).expect("indented as its nest");
        if own.starts_with("  ") {
            nested.push(line);
            continue;
        }
        if own.starts_with('#') {
            continue;
        }
        let (ok, rest) = match own.strip_prefix("not ") {
            Some(rest) => (false, rest),
            None => (true, own),
        };
        let rest = rest.strip_prefix("ok ").unwrap_or_else(|| panic!("no result: {line}"));
        let rest = rest.strip_prefix(&format!("{} ", results.len() + 1)).expect("the next number");
        let (name, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
        assert!(!name.contains('#') && !name.is_empty(), "{line}");
        results.push((Result { ok, directive }, std::mem::take(&mut nested)));
    }
    assert_eq!(plan.parse(), Ok(results.len()), "as planned");
    assert!(nested.is_empty(), "every nest has a result: {nested:?}");
    results
}

#[test]
fn ktap_is_as_documented() {
    let text = Ktap.render(&one_of_each());
    let lines: Vec<&str> = text.lines().collect();
    let subsystems = read_ktap(&lines, "");
    let [(subsystem, nested)] = subsystems.as_slice() else { panic!("one subsystem: {text}") };
    assert!(!subsystem.ok, "it fails if one of its subtests does");
    let results = read_ktap(nested, "  ");
    let of = |at: usize| (results[at].0.ok, results[at].0.directive);
    assert_eq!(of(0), (true, ""));
    assert_eq!(
        of(1),
        (true, "XFAIL expected violated (analysis: 5.11 disables nothing), found violated")
    );
    assert!(!of(2).0 && of(2).1.starts_with("expected holds (kernel-lru:B1), found violated"));
    assert!(!of(3).0 && of(3).1.starts_with("expected violated (kernel-lru:B4), found holds"));
    assert_eq!(of(4), (false, "TIMEOUT the limit of 5 executions"));
    assert!(text.lines().any(|line| line.starts_with("  #") && line.contains(OF_TABLE)), "{text}");
}

fn results_of(sarif: &str) -> Vec<Value> {
    let log: Value = serde_json::from_str(sarif).expect("JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "selvedge");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let results = run["results"].as_array().expect("results").clone();
    for result in &results {
        assert!(rules.iter().any(|rule| rule["id"] == result["ruleId"]), "{}", result["ruleId"]);
        assert!(result["message"]["text"].as_str().is_some_and(|text| !text.is_empty()));
        // What GitHub asks for besides.
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].is_string(), "{place}");
        assert_eq!(place["region"]["startLine"], 1);
        assert!(result["partialFingerprints"]["primaryLocationLineHash"].is_string());
    }
    results
}

#[test]
fn sarif_has_a_flow_for_each_task_and_the_order_of_all_steps() {
    let rows = one_of_each();
    let results = results_of(&Sarif.render(&rows));
    let is: Vec<_> = results.iter().map(|r| (r["kind"].clone(), r["level"].clone())).collect();
    let expected = [("fail", "note"), ("fail", "error"), ("fail", "error"), ("open", "none")];
    assert_eq!(is, expected.map(|(kind, level)| (kind.into(), level.into())));
    let suppressed = results[0]["suppressions"][0].as_object().expect("an object");
    // No other property is one in all versions of the schema.
    assert_eq!(suppressed.keys().collect::<Vec<_>>(), ["justification", "kind"]);
    assert_eq!(suppressed["kind"], "external");
    assert_eq!(results[1]["suppressions"], Value::Null);
    let file = &results[1]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(file, "fs/buffer.c", "where the fatal step is");

    let cx = rows[2].exploration.counterexample.as_ref().expect("violated");
    let flows = results[1]["codeFlows"][0]["threadFlows"].as_array().expect("flows");
    let ids: Vec<&str> = flows.iter().map(|flow| flow["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["main", "CPU0 installer", "CPU1 migrator"]);
    let mut order = Vec::new();
    for flow in flows {
        let places = flow["locations"].as_array().expect("places");
        let of_flow: Vec<u64> =
            places.iter().map(|p| p["executionOrder"].as_u64().unwrap()).collect();
        assert!(of_flow.is_sorted(), "time goes on in a task");
        order.extend(of_flow);
        for place in places {
            let at = place["executionOrder"].as_u64().expect("a number") as usize - 1;
            let function = &place["location"]["logicalLocations"][0]["name"];
            assert_eq!(function.as_str(), cx.steps[at].path.last().map(String::as_str));
            let is_fatal = place["importance"] == "essential";
            assert_eq!(is_fatal, cx.fatal == Some(at));
        }
    }
    order.sort_unstable();
    assert_eq!(order, (1..=cx.steps.len() as u64).collect::<Vec<_>>(), "every step, once");
}

#[test]
fn evidence_without_a_counterexample_is_in_every_format() {
    let mut row = row("install_vs_prep", BROKEN, Expected::Holds);
    row.exploration.counterexample = None;
    row.exploration.evidence = Some("possible deadlock: a cycle of lock orders".into());
    for format in [Text, Json, Junit, Ktap, Sarif, Github, Markdown] {
        let text = format.render(std::slice::from_ref(&row));
        assert!(text.contains("a cycle of lock orders"), "{format:?}: {text}");
    }
}

#[test]
fn github_gets_no_more_than_it_shows() {
    let mut rows = one_of_each();
    let some = Github.render(&rows);
    assert_eq!(some.matches("\n::error title=").count(), 2, "{some}");
    assert_eq!(some.matches("\n::warning title=").count(), 1, "{some}");
    assert!(some.contains(OF_TABLE), "the table is in the log: {some}");
    let is_command = |line: &&str| line.starts_with("::");
    assert!(some.lines().filter(is_command).all(|line| line[2..].contains("::")), "{some}");

    let one = row("install_vs_prep", BROKEN, Expected::Holds);
    rows.extend(std::iter::repeat_n(one, 20));
    let many = Github.render(&rows);
    assert_eq!(many.matches("\n::error title=").count(), 10);
    assert!(many.contains("::error title=13 more rows::migrate_pending::"), "{many}");
}

#[test]
fn markdown_fits_and_counts_what_does_not() {
    let mut rows = one_of_each();
    let page = Markdown.render(&rows);
    assert!(page.starts_with("## selvedge: not as expected\n"), "{page}");
    assert!(page.contains("**no bh stays in a bh_lru while a migration is pending**"), "{page}");
    assert!(page.contains(OF_TABLE), "{page}");
    assert_eq!(page.matches("<details").count(), page.matches("</details>").count());

    let one = row("install_vs_prep", BROKEN, Expected::Holds);
    rows.extend(std::iter::repeat_n(one, 20));
    let short = markdown::markdown(&rows, &About::default(), Some(20_000));
    assert!(short.len() <= 20_000, "{}", short.len());
    assert!(short.contains("more rows left out"), "{short}");
    assert_eq!(short.matches("```").count() % 2, 0, "nothing is cut in the middle");
    let shorter = markdown::markdown(&rows, &About::default(), Some(8_500));
    assert!(shorter.contains("*25 rows of migrate_pending left out"), "{shorter}");
    assert_eq!(step_summary(&rows, &About::default(), 2_000_000), "", "no room is left");
}

/// What some format takes for syntax, or for a new line.
const HOSTILE: &str = "</script><script>alert(1)</script>\"];-->\n::error::`|# ok 1 x\u{1b}[31m\
                       \u{202e}%0A & ]]>\n```\n| a | b |";

/// The same rows with every name hostile: rule, scenario, tree, subsystem, reached states, reasons,
/// and all of the counterexamples.
fn hostile() -> Vec<Row> {
    let mut rows = one_of_each();
    for row in &mut rows {
        let (claim, seen) = (row.claim, &mut row.exploration);
        let scenario = Scenario { name: HOSTILE, about: HOSTILE, ..*claim.scenario };
        let tree = Tree { name: HOSTILE, ..*claim.tree };
        row.claim = Box::leak(Box::new(Claim {
            subsystem: HOSTILE,
            rule: Rule(HOSTILE),
            scenario: Box::leak(Box::new(scenario)),
            tree: Box::leak(Box::new(tree)),
            ..*claim
        }));
        seen.reached.insert(HOSTILE);
        if let Outcome::Unexpected(why) | Outcome::Undecided(why) = &mut row.outcome {
            *why = HOSTILE.into();
        }
        if let Verdict::Undecided(why) = &mut seen.verdict {
            *why = HOSTILE.into();
        }
        let Some(cx) = &mut seen.counterexample else { continue };
        (cx.rule, cx.message) = (HOSTILE.into(), HOSTILE.into());
        cx.tasks.iter_mut().for_each(|task| task.name = HOSTILE.into());
        for step in &mut cx.steps {
            step.path.iter_mut().for_each(|function| *function = HOSTILE.into());
            (step.primitive, step.object) = (HOSTILE.into(), HOSTILE.into());
        }
    }
    rows
}

#[test]
fn hostile_names_stay_names_in_every_format() {
    let rows = hostile();
    let json: Value = serde_json::from_str(&Json.render(&rows)).expect("JSON");
    assert_eq!(json["rows"][0]["rule"], HOSTILE);
    let xml = Junit.render(&rows);
    let read = roxmltree::Document::parse(&xml).expect("XML");
    assert_eq!(read.descendants().filter(|node| node.has_tag_name("testcase")).count(), 5);
    let text = Ktap.render(&rows);
    let subsystems = read_ktap(&text.lines().collect::<Vec<_>>(), "");
    assert_eq!(read_ktap(&subsystems[0].1, "  ").len(), 5, "{text}");
    assert_eq!(results_of(&Sarif.render(&rows)).len(), 4);
    let log = Github.render(&rows);
    let mut commands: Vec<&str> = log.lines().filter(|line| line.starts_with("::")).collect();
    commands.retain(|line| !line.starts_with("::group::") && *line != "::endgroup::");
    let kinds = commands.iter().map(|line| line[2..].split(' ').next().unwrap_or_default());
    assert_eq!(kinds.collect::<Vec<_>>(), ["error", "error", "warning", "notice"], "{log}");
    let page = Markdown.render(&rows);
    let mut fence = None;
    for line in page.lines() {
        let ticks = line.len() - line.trim_start_matches('`').len();
        match fence {
            None if ticks >= 3 => fence = Some(ticks),
            Some(open) if ticks >= open && line.len() == ticks => fence = None,
            _ => {}
        }
        if fence.is_none() && line.starts_with("| ") && !line.starts_with("| rule |") {
            let cells = line.replace("\\|", "").matches('|').count();
            assert_eq!(cells, 7, "{line}");
        }
        // Outside of code, which is in four backticks, nothing is an element that is not ours.
        let outside = line.split("````").step_by(2).collect::<String>().replace("\\<", "");
        let is_ours = |part: &str| {
            let names = ["details", "/details", "summary", "/summary"];
            names.iter().any(|name| part.starts_with(name))
        };
        assert!(fence.is_some() || outside.split('<').skip(1).all(is_ours), "{line}");
    }
    assert_eq!(fence, None, "{page}");
}

/// The page of all rows is XML, in which there are the rows, the links, and no element of a name.
#[test]
fn the_index_is_read_by_a_parser_whatever_the_names() {
    let kills = Kills {
        source: HOSTILE.into(),
        tree: HOSTILE.into(),
        first_by_scenario: [(HOSTILE.to_string(), vec![HOSTILE.to_string(); 9])].into(),
        ..Kills::default()
    };
    let beside = Beside { kills: Some(kills), has_locks: true };
    for (rows, beside) in [(one_of_each(), Beside::default()), (hostile(), beside)] {
        let page = index(&rows, &beside);
        let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
        let read = roxmltree::Document::parse_with_options(&page, options)
            .unwrap_or_else(|why| panic!("{why}: {page}"));
        let count = |name: &str| read.descendants().filter(|n| n.has_tag_name(name)).count();
        assert_eq!((count("script"), count("h2")), (0, 2), "what is missed, and one subsystem");
        // Five rows and the three that are missed again; the heads; one subsystem in numbers.
        assert_eq!(count("tr"), 5 + 3 + 2 + 2);
        let links = read.descendants().filter_map(|node| node.attribute("href"));
        let of_rows = links.filter(|link| link.ends_with(".html") && *link != "locks.html");
        assert_eq!(of_rows.count(), 2 + 1, "two are violated, of which one is missed");
        let killing = page.matches("this scenario is the smallest to kill 9 mutants").count();
        assert_eq!(killing, if beside.kills.is_some() { 8 } else { 0 });
    }
}
