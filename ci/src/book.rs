//! The documentation as a book: every page is in its table of contents, every link leads somewhere;
//! and, where mdbook is installed, it is built.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

/// Where the pages are.
const DOCS: &str = "docs";
/// The table of contents.
const SUMMARY: &str = "docs/SUMMARY.md";
/// Pages that are no part of the book.
const TOP: &[&str] = &["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
/// Where the book is built.
const BUILD: &str = "target/book";
/// The README's budget: who comes by reads no more.
const README_LINES_MAX: usize = 200;

/// Checks the pages, and builds the book if it can be built.
pub fn run() -> Result<(), String> {
    let complaints = complaints(Path::new("."))?;
    if !complaints.is_empty() {
        return Err(complaints.join("\n"));
    }
    let is_there = Command::new("mdbook").arg("--version").output().is_ok();
    if !is_there {
        println!(
            "not built: no mdbook here (`cargo install --locked mdbook`); its pages are sound"
        );
        return Ok(());
    }
    build()
}

/// What is wrong with the pages of this repository.
fn complaints(root: &Path) -> Result<Vec<String>, String> {
    let mut pages = Vec::new();
    collect(root, Path::new(DOCS), &mut pages)?;
    let summary = PathBuf::from(SUMMARY);
    let mut texts: BTreeMap<PathBuf, String> = BTreeMap::new();
    for page in pages.iter().cloned().chain(TOP.iter().map(PathBuf::from)) {
        let text = fs::read_to_string(root.join(&page))
            .map_err(|error| format!("{}: {error}", page.display()))?;
        texts.insert(page, text);
    }
    let contents = texts.get(&summary).ok_or_else(|| format!("no {SUMMARY}"))?;
    let named: BTreeSet<PathBuf> = (links(contents).into_iter())
        .map(|(_, link)| resolved(&summary, link.split('#').next().unwrap_or_default()))
        .collect();
    let missing = pages.iter().filter(|page| **page != summary && !named.contains(*page));
    let mut complaints: Vec<String> =
        missing.map(|page| format!("{}: not in {SUMMARY}", page.display())).collect();
    let length = texts[Path::new("README.md")].lines().count();
    if length > README_LINES_MAX {
        complaints.push(format!("README.md: {length} lines, at most {README_LINES_MAX}"));
    }
    for (page, text) in &texts {
        complaints.extend(broken_links(root, page, text, &texts));
    }
    Ok(complaints)
}

fn broken_links(
    root: &Path,
    page: &Path,
    text: &str,
    texts: &BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for (line, link) in links(text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
        let target = if file.is_empty() { page.to_path_buf() } else { resolved(page, file) };
        let at = format!("{}:{line}", page.display());
        if !texts.contains_key(&target) && !root.join(&target).exists() {
            complaints.push(format!("{at}: `{link}` leads nowhere"));
        } else if let Some(text) = texts.get(&target)
            && !anchor.is_empty()
            && !anchors(text).contains(anchor)
        {
            complaints.push(format!("{at}: no `#{anchor}` in {}", target.display()));
        }
    }
    complaints
}

/// The links of a page, with their lines: `[text](link)` outside of code.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in outside_of_code(text) {
        let prose: Vec<&str> = line.split('`').collect();
        // A link's text may be code; its target is not.
        for part in prose.iter().step_by(2) {
            let targets = part.split("](").skip(1);
            found.extend(targets.filter_map(|t| t.split(')').next()).map(|link| (number, link)));
        }
    }
    found
}

fn outside_of_code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// What can be linked to in a page: its headings, as GitHub and mdbook name them, and `<a id="...">`.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, line) in outside_of_code(text) {
        if let Some(heading) = line.strip_prefix('#') {
            found.insert(slug(heading.trim_start_matches('#')));
        }
        let ids = line.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(ids.map(String::from));
    }
    found
}

fn slug(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == ' ';
    let lower = heading.trim().to_lowercase();
    lower.chars().filter(|&c| kept(c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A link of this page as a path from the root.
fn resolved(page: &Path, link: &str) -> PathBuf {
    let mut path = page.parent().unwrap_or(Path::new("")).to_path_buf();
    for part in Path::new(link).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path
}

fn collect(root: &Path, dir: &Path, pages: &mut Vec<PathBuf>) -> Result<(), String> {
    let failure = |error| format!("{}: {error}", dir.display());
    for entry in fs::read_dir(root.join(dir)).map_err(failure)? {
        let path = dir.join(entry.map_err(failure)?.file_name());
        if root.join(&path).is_dir() {
            collect(root, &path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
    Ok(())
}

/// Builds it from a copy in which links to what is not in the book lead to the repository.
fn build() -> Result<(), String> {
    let (source, book) = (Path::new(BUILD).join("source"), Path::new(BUILD).join("html"));
    // Of an earlier build nothing may be left; there may have been none.
    let _ = fs::remove_dir_all(BUILD);
    let repository = repository()?;
    let mut pages = Vec::new();
    collect(Path::new("."), Path::new(DOCS), &mut pages)?;
    for page in &pages {
        let text = fs::read_to_string(page).map_err(|e| format!("{}: {e}", page.display()))?;
        write(&source.join(page), &with_links_out(page, &text, &repository))?;
    }
    let config = Path::new(DOCS).join("book.toml");
    let text = fs::read_to_string(&config).map_err(|e| format!("{}: {e}", config.display()))?;
    write(&source.join(&config), &text)?;
    let mut command = Command::new("mdbook");
    let target = std::env::current_dir().map_err(|error| error.to_string())?.join(&book);
    command.arg("build").arg(source.join(DOCS)).arg("--dest-dir").arg(target);
    crate::succeed(command)?;
    println!("built: {}", book.join("index.html").display());
    Ok(())
}

fn with_links_out(page: &Path, text: &str, repository: &str) -> String {
    let mut out = text.to_string();
    for (_, link) in links(text) {
        let target = resolved(page, link.split('#').next().unwrap_or_default());
        if link.contains("://") || link.starts_with('#') || target.starts_with(DOCS) {
            continue;
        }
        let anchor = link.split_once('#').map_or(String::new(), |(_, a)| format!("#{a}"));
        let address = format!("{repository}/blob/main/{}{anchor}", target.display());
        out = out.replace(&format!("]({link})"), &format!("]({address})"));
    }
    out
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// The address in Cargo.toml.
fn repository() -> Result<String, String> {
    let text = fs::read_to_string("Cargo.toml").map_err(|error| format!("Cargo.toml: {error}"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("repository = \""));
    let address = line.and_then(|rest| rest.split('"').next());
    address.map(String::from).ok_or_else(|| "Cargo.toml names no repository".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_of_this_repository_are_sound() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert_eq!(complaints(&root).expect("they can be read"), Vec::<String>::new());
    }

    #[test]
    fn a_link_that_leads_nowhere_is_noticed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let page = Path::new("docs/a.md");
        let text = "# One `b` two\n[x](#one-b-two) [y](#three) [z](no.md)\n```\n[q](no.md)\n```\n\
                    [`w`](../README.md) `[v](no.md)`\n";
        let texts = BTreeMap::from([(page.to_path_buf(), text.to_string())]);
        let found = broken_links(&root, page, text, &texts);
        let wanted =
            ["docs/a.md:2: no `#three` in docs/a.md", "docs/a.md:2: `no.md` leads nowhere"];
        assert_eq!(found, wanted);
    }

    #[test]
    fn a_link_out_of_the_book_leads_to_the_repository() {
        let text = "[a](b.md) [c](../proofs/x.tsv#y) [d](https://e)";
        assert_eq!(
            with_links_out(Path::new("docs/f.md"), text, "https://r"),
            "[a](b.md) [c](https://r/blob/main/proofs/x.tsv#y) [d](https://e)"
        );
    }
}
