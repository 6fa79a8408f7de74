//! Formats as the programs of others read them, where these can be had: each is named by a variable
//! of the environment, and what is not named is not asked, and said not to be.
//!
//! | variable                 | names                                          | and it takes           |
//! |--------------------------|------------------------------------------------|------------------------|
//! | `SELVEDGE_KERNEL`        | kernel trees, as in PATH, for their `kunit.py` | python3                |
//! | `SELVEDGE_SARIF_SCHEMA`  | OASIS's `sarif-schema-2.1.0.json`              | python3 and jsonschema |
//! | `SELVEDGE_JUNIT_SCHEMA`  | `junit-10.xsd` of Jenkins' xunit-plugin        | xmllint                |

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::CheckFormat::{Junit, Ktap, Sarif};
use super::tests::one_of_each;

/// What the variable names; `None`, and a word about it, if it names nothing.
fn named(variable: &str) -> Option<std::ffi::OsString> {
    let named = std::env::var_os(variable).filter(|named| !named.is_empty());
    if named.is_none() {
        eprintln!("not run: {variable} names nothing");
    }
    named
}

fn written(name: &str, text: &str) -> PathBuf {
    let file = std::env::temp_dir().join(format!("selvedge-{}-{name}", std::process::id()));
    fs::write(&file, text).expect("written");
    file
}

/// Whether the program is content with the file, and what it says.
fn says(command: &mut Command, file: &Path) -> (bool, String) {
    let output = command.arg(file).output().unwrap_or_else(|why| panic!("{command:?}: {why}"));
    let texts: [String; 2] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into());
    let _ = fs::remove_file(file);
    (output.status.success(), texts.join("\n"))
}

#[test]
fn the_kernels_own_parser_counts_what_the_ktap_says() {
    let Some(kernels) = named("SELVEDGE_KERNEL") else { return };
    for kernel in std::env::split_paths(&kernels) {
        let file = written("rows.ktap", &Ktap.render(&one_of_each()));
        let mut parser = Command::new("python3");
        parser.arg(kernel.join("tools/testing/kunit/kunit.py")).arg("parse");
        let (_, said) = says(&mut parser, &file);
        // It has no word for what is undecided but this.
        assert!(said.contains("Ran 5 tests: passed: 2, failed: 3"), "{said}");
        assert!(!said.contains("[ERROR]"), "{said}");
    }
}

#[test]
fn the_sarif_is_as_its_schema_says() {
    let Some(schema) = named("SELVEDGE_SARIF_SCHEMA") else { return };
    let sarif = Sarif.render(&one_of_each());
    let validated = |text: &str| {
        let mut validator = Command::new("python3");
        validator.args(["-m", "jsonschema"]).arg(&schema).arg("-i");
        says(&mut validator, &written("rows.sarif", text))
    };
    let (is_valid, said) = validated(&sarif);
    assert!(is_valid, "{said}");
    assert!(!validated(&sarif.replace("\"open\"", "\"opened\"")).0, "it refuses nothing");
}

#[test]
fn the_junit_xml_is_as_jenkins_schema_says() {
    let Some(schema) = named("SELVEDGE_JUNIT_SCHEMA") else { return };
    let xml = Junit.render(&one_of_each());
    let validated = |text: &str| {
        let mut validator = Command::new("xmllint");
        validator.arg("--noout").arg("--schema").arg(&schema);
        says(&mut validator, &written("rows.xml", text))
    };
    let (is_valid, said) = validated(&xml);
    assert!(is_valid, "{said}");
    assert!(!validated(&xml.replace("<failure", "<failed")).0, "it refuses nothing");
}
