//! The schema is true of what we write, and says no to what our reader says no to.

use crate::json_schema;

use std::fs;
use std::path::{Path, PathBuf};

use json_schema::Schema;
use selvedge_trace::{
    Condition, Counterexample, Explanation, Model, Passing, SCHEMA, from_json, to_json,
};
use serde_json::{Value, json};

fn schema() -> Schema {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../docs/schemas/selvedge-trace-1.schema.json");
    let text = fs::read_to_string(&path).expect("the schema is there");
    let schema: Value = serde_json::from_str(&text).expect("the schema is JSON");
    assert_eq!(schema["properties"]["schema"]["const"], SCHEMA);
    Schema::new(schema)
}

fn reviewed() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../proofs/counterexamples");
    let files = fs::read_dir(dir).expect("there are counterexamples");
    let files = files.map(|file| file.expect("an entry").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect()
}

/// The explanation that has everything.
fn explained(cx: Counterexample) -> Counterexample {
    let order = Condition::Order { before: 0, after: None, blocked: Some(0), passing: Some(0) };
    let passing = Passing { tasks: cx.tasks.clone(), steps: cx.steps.clone() };
    let explanation = Explanation {
        conditions: vec![order, Condition::Choice { step: 0 }],
        decisive: Some(0),
        passing: Some(passing),
        unneeded: vec![0],
        ..Explanation::default()
    };
    let model = Some(Model::new("0.1.0", [("f".to_string(), "0".repeat(16))].into()));
    Counterexample { explanation: Some(explanation), model, ..cx }
}

#[test]
fn every_reviewed_counterexample_is_as_the_schema_says() {
    let (schema, files) = (schema(), reviewed());
    assert!(files.len() > 20, "only {}", files.len());
    for file in files {
        let text = fs::read_to_string(&file).expect("readable");
        let is_valid = |text: &str| {
            let value: Value = serde_json::from_str(text).expect("JSON");
            assert_eq!(schema.check(&value), Ok(()), "{}", file.display());
        };
        is_valid(&text);
        let cx = from_json("f", &text).expect("our reader reads it");
        is_valid(&to_json(&explained(cx)));
    }
}

/// What is missing or of another type: neither the schema nor our reader takes it.
#[test]
fn the_schema_and_the_reader_refuse_the_same_mistakes() {
    let schema = schema();
    let text = fs::read_to_string(&reviewed()[0]).expect("readable");
    let whole: Value = serde_json::from_str(&text).expect("JSON");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut value = whole.clone();
        change(&mut value);
        assert!(schema.check(&value).is_err(), "the schema takes {value}");
        assert!(from_json("f", &value.to_string()).is_err(), "the reader takes {value}");
    };
    for field in ["schema", "claim", "tasks", "steps", "blocked", "schedule", "memory_model"] {
        refused(&|value| drop(value.as_object_mut().expect("an object").remove(field)));
    }
    refused(&|value| value["schema"] = json!("selvedge-trace/2"));
    refused(&|value| value["steps"][0]["task"] = json!(256));
    refused(&|value| value["steps"][0]["action"] = json!("jump"));
    refused(&|value| value["steps"][0]["order"] = json!(null));
    refused(&|value| value["fatal"] = json!(-1));
    refused(&|value| value["tasks"][0]["context"] = json!("nmi"));
    refused(&|value| value["model"] = json!({"version": "1"}));
    refused(&|value| value["explanation"] = json!({"sentence": "because"}));
}
