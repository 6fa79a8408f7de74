//! Which program a scenario is depends on the decisions that the models ask for: each is noted.

use include_dir::Dir;

/// A decision that is read as a field is not noted.
#[test]
fn models_and_scenarios_read_no_decision_past_its_function() {
    fn files(dir: &'static Dir<'static>) -> Vec<(String, &'static str)> {
        let here = dir
            .files()
            .filter_map(|file| Some((file.path().display().to_string(), file.contents_utf8()?)));
        here.chain(dir.dirs().flat_map(files)).collect()
    }
    let names = ["swap", "buffer", "filemap", "migrate", "gup", "rmap", "vmscan", "memory"];
    let more = ["fuse", "iomap", "page_writeback", "memory_hotplug", "movable"];
    let mut asked = 0;
    for (file, text) in
        files(&selvedge_models::SOURCES).into_iter().chain(files(&selvedge_proofs::SOURCES))
    {
        for name in names.into_iter().chain(more) {
            let part = format!("k.tree.{name}");
            for (at, _) in text.match_indices(&part) {
                let rest = &text[at + part.len()..];
                let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.'));
                let is_asked = rest[end.unwrap_or(rest.len())..].starts_with("()");
                let is_longer = rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
                assert!(is_asked || is_longer, "{file}: {part}{:?}", rest.lines().next());
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
}
