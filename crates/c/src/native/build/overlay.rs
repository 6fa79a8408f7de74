//! A patched tree: copies of the files that patches touch, in front of the user's tree, which stays
//! as it is; and the objects that depend on them, compiled anew.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::apply::apply;
use super::cache::{hash, write};
use super::kbuild::{Build, object_of};
use crate::error::{Error, Result};

/// Patches, read and applied in their order to copies of what they touch.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Patched {
    /// By path in the tree: the text.
    pub files: BTreeMap<String, String>,
    /// The names of the patches, `my+other`.
    pub name: String,
}

impl Patched {
    /// Reads the patch files and applies them to what is in `tree`.
    pub fn read(tree: &Path, version: &str, patches: &[PathBuf]) -> Result<Patched> {
        let mut patched = Patched::default();
        for path in patches {
            let bytes = contents(path).map_err(|error| Error::io("read", path, &error))?;
            let text = String::from_utf8_lossy(&bytes);
            let input = selvedge_patch::read(&text)
                .map_err(|error| Error::new(format!("{}: {error}", path.display())))?;
            if let Some(remark) = input.remarks.first() {
                let place = format!("{}:{}", path.display(), remark.line);
                return Err(Error::new(format!("{place}: {}", remark.text)));
            }
            for diff in input.patches.iter().flat_map(|patch| &patch.files) {
                let text =
                    patched.text_of(tree, diff.renamed_from.as_deref().unwrap_or(&diff.path))?;
                let text = apply(&text, diff).map_err(|refused| {
                    Error::new(format!(
                        "{}: hunk {} of {} does not apply to {} ({version}): {}",
                        diff.path,
                        refused.hunk,
                        path.display(),
                        tree.display(),
                        refused.why
                    ))
                })?;
                patched.files.insert(diff.path.clone(), text);
            }
            let stem = path.file_stem().map_or("patch".into(), |stem| stem.to_string_lossy());
            let stem = if stem == "-" { "stdin".into() } else { stem };
            let plus = if patched.name.is_empty() { "" } else { "+" };
            patched.name.push_str(&format!("{plus}{stem}"));
        }
        Ok(patched)
    }

    /// The file as the patches so far have left it; empty if there is none yet.
    fn text_of(&self, tree: &Path, file: &str) -> Result<String> {
        if Path::new(file).components().any(|part| !matches!(part, std::path::Component::Normal(_)))
        {
            return Err(Error::new(format!("{file}: a patch is about files in the tree")));
        }
        if let Some(text) = self.files.get(file) {
            return Ok(text.clone());
        }
        let path = tree.join(file);
        match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(Error::io("read", &path, &error)),
        }
    }

    /// The directory of what is made for these patches.
    pub fn dir(&self, build: &Build<'_>, cache: &Path) -> PathBuf {
        let gate = build.gate.display().to_string();
        let mut words: Vec<&str> = vec![&gate];
        words.extend(self.files.iter().flat_map(|(file, text)| [file.as_str(), text]));
        let kind = if self.files.is_empty() { "plain" } else { "patched" };
        cache.join(format!("{kind}-{:016x}", hash(&words)))
    }

    /// Does it touch what more than one file may include?
    pub fn touches_headers(&self) -> bool {
        self.files.keys().any(|file| !file.ends_with(".c"))
    }

    /// The objects of the tree with these patches: those of the build, but for what depends on a
    /// patched file. Says what that is.
    pub fn compile(&self, build: &Build<'_>, dir: &Path) -> Result<(Vec<PathBuf>, Vec<String>)> {
        let overlay = dir.join("tree");
        for (file, text) in &self.files {
            write(&overlay.join(file), text)?;
        }
        let (mut objects, mut anew) = (Vec::new(), Vec::new());
        for file in &build.files {
            if !depends(build, file, &self.files)? {
                objects.push(build.dir.join(object_of(file)));
                continue;
            }
            anew.push((*file).to_string());
            objects.push(dir.join("objects").join(object_of(file)));
            // A file includes what lies beside it before all else: it has to lie beside what is
            // patched.
            if !self.files.contains_key(*file) {
                let path = build.tree.dir.join(file);
                let text = fs::read(&path).map_err(|error| Error::io("read", &path, &error))?;
                write(&overlay.join(file), &String::from_utf8_lossy(&text))?;
            }
        }
        on_all_cores(&anew, |file| {
            let object = dir.join("objects").join(object_of(file));
            if !is_stale(&object, build, file) {
                return Ok(());
            }
            let source = build.tree.dir.join(file.as_str());
            build.recompile(file, &source, &object, &overlay).map_err(|error| {
                Error::new(format!("{file} does not compile with {}:\n{error}", self.name))
            })
        })?;
        Ok((objects, anew))
    }

    /// Is any of it compiled in this configuration, and each file that it touches? Not if it changes
    /// comments, or what is configured out, only.
    pub fn is_compiled(&self, build: &Build<'_>, dir: &Path) -> Result<bool> {
        if !self.not_compiled(build).is_empty() {
            return Ok(false);
        }
        for file in &build.files {
            if depends(build, file, &self.files)? {
                let text = |name: &str, overlay: &Path| {
                    build.preprocess(file, &dir.join(name).join(file), overlay)
                };
                let without = dir.join("nothing");
                let (old, new) = (text("without", &without)?, text("with", &dir.join("tree"))?);
                // A comment leaves a blank.
                if !words(&old).eq(words(&new)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The patched files that nothing depends on that is compiled.
    pub fn not_compiled(&self, build: &Build<'_>) -> Vec<String> {
        let is_used = |file: &String| {
            let one = BTreeMap::from([(file.clone(), String::new())]);
            build.files.iter().any(|unit| depends(build, unit, &one).unwrap_or(false))
        };
        self.files.keys().filter(|file| !is_used(file)).cloned().collect()
    }
}

fn words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

/// The bytes of a patch file, or of stdin for `-`.
fn contents(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    match path.as_os_str() == "-" {
        true => std::io::stdin().read_to_end(&mut bytes).map(|_| bytes),
        false => fs::read(path),
    }
}

/// Is the patched object older than the one of the tree as it is, or not there?
fn is_stale(object: &Path, build: &Build<'_>, file: &str) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|known| known.modified()).ok();
    match (time(object), time(&build.dir.join(object_of(file)))) {
        (Some(patched), Some(plain)) => patched < plain,
        _ => true,
    }
}

/// Does the object depend on one of these files? kbuild has kept a list of what it was made from.
fn depends(build: &Build<'_>, file: &str, touched: &BTreeMap<String, String>) -> Result<bool> {
    let object = object_of(file);
    let (dir, name) = object.rsplit_once('/').unwrap_or(("", &object));
    let path = build.dir.join(dir).join(format!(".{name}.cmd"));
    let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, &error))?;
    let is_touched = |word: &str| {
        touched.keys().any(|file| {
            word.strip_suffix(file.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
        })
    };
    Ok(touched.contains_key(file) || text.split_whitespace().any(is_touched))
}

/// Does the work for each item, as many at a time as there are cores.
///
/// # Errors
/// The first of its errors.
pub fn on_all_cores<T: Sync>(items: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let failed = std::sync::Mutex::new(None);
    let run = || {
        while let Some(item) = items.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)) {
            if let Err(error) = work(item) {
                failed.lock().expect("not poisoned").get_or_insert(error);
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores.min(items.len()) {
            scope.spawn(run);
        }
    });
    failed.into_inner().expect("not poisoned").map_or(Ok(()), Err)
}
