//! Which kernel file each modelled function is of, taken from the models: a file of them is named after
//! the kernel's, and a function says its name to `enter()`. For reports that name a place.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/src");
    println!("cargo::rerun-if-changed={}", models.display());
    let mut files = BTreeMap::new();
    for dir in ["mm", "fs", "sched"] {
        collect(&models.join(dir), dir, &mut files)?;
    }
    let lines = files.iter().map(|(function, file)| format!("({function:?}, {file:?}),\n"));
    let table = format!("&[\n{}]\n", lines.collect::<String>());
    let out = std::env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("kernel_files.rs"), table)
}

/// `mm/swap/drain.rs` is a part of mm/swap.c: directories below the first level are files of C.
fn collect(dir: &Path, file: &str, files: &mut BTreeMap<String, String>) -> io::Result<()> {
    let mut entries = fs::read_dir(dir)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = entry.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inner = if file.contains('/') { file.into() } else { format!("{file}/{stem}") };
        if path.is_dir() {
            collect(&path, &inner, files)?;
            continue;
        }
        for entered in fs::read_to_string(&path)?.split("enter(\"").skip(1) {
            let function = entered.split('"').next().unwrap_or_default();
            files.entry(function.into()).or_insert_with(|| in_the_kernel(&inner));
        }
    }
    Ok(())
}

/// The kernel's spelling.
fn in_the_kernel(file: &str) -> String {
    match file {
        "mm/page_writeback" => "mm/page-writeback.c".into(),
        file if file.starts_with("sched/") => format!("kernel/{file}.c"),
        file => format!("{file}.c"),
    }
}
