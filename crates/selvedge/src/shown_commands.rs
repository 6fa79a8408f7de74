//! What the pages tell people to type is what the command understands.

use std::fs;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Args;

#[path = "../tests/pages/mod.rs"]
mod pages;

/// The commands of a page: `selvedge ...`, each with whether it is to be typed as it is, as in a
/// block for a shell. In a sentence it may lack what the sentence says.
fn commands(page: &str) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    let (mut fence, mut is_shell) = (false, false);
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            fence = !fence;
            is_shell = fence && language == "sh";
        } else if is_shell {
            let line = line.split(" #").next().unwrap_or_default();
            found.extend(line.split('|').filter_map(typed).map(|command| (command, true)));
        } else if !fence {
            let spans = line.split('`').skip(1).step_by(2);
            let ours = spans.filter(|span| span.starts_with("selvedge ") || span.contains(RUN));
            found.extend(ours.filter_map(typed).map(|command| (command, false)));
        }
    }
    found
}

/// Runs the command from a checkout.
const RUN: &str = "cargo run --release";

fn typed(text: &str) -> Option<String> {
    let text = text.trim();
    if let Some(arguments) = text.strip_prefix(RUN) {
        let arguments = arguments.trim_start_matches(" -q").trim_start_matches(" --").trim();
        return Some(format!("selvedge {arguments}"));
    }
    text.strip_prefix("selvedge ").map(|arguments| format!("selvedge {arguments}"))
}

fn words(command: &str) -> Vec<String> {
    command.split_whitespace().map(|word| word.trim_matches('\'').to_string()).collect()
}

#[test]
fn commands_in_the_pages_are_understood() {
    let (mut count, mut wrong) = (0, Vec::new());
    for page in pages::pages() {
        let text = fs::read_to_string(&page).expect("a page");
        for (command, is_whole) in commands(&text) {
            count += 1;
            let Err(error) = Args::try_parse_from(words(&command)) else { continue };
            let lacks_something = error.kind() == ErrorKind::MissingRequiredArgument
                || error.to_string().contains("none was supplied");
            if is_whole || !lacks_something {
                wrong.push(format!("{}: `{command}`: {error}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "only {count} commands were found");
}

#[test]
fn a_command_is_found_where_it_is_shown() {
    let page = "Say `selvedge list trees`, or `check`.\n```sh\n\
                cargo run --release -q -- check --tree a   # asks\ngit show | selvedge patch -\n\
                cargo run -p selvedge-ci\n```\n```text\nselvedge is silent\n```\n";
    let found = commands(page);
    let shown: Vec<&str> = found.iter().map(|(command, _)| command.as_str()).collect();
    assert_eq!(shown, ["selvedge list trees", "selvedge check --tree a", "selvedge patch -"]);
}
