//! As much of JSON Schema (2020-12) as our schema uses. A library for all of it comes with sixty
//! others. A keyword that is not known here is an error, so that none is overlooked.

use serde_json::{Map, Value};

pub struct Schema(Value);

impl Schema {
    pub fn new(schema: Value) -> Schema {
        Schema(schema)
    }

    /// `Err`: where and why the value is not as the schema says.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        self.check_at("", &self.0, value)
    }

    fn check_at(&self, at: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let keywords = schema.as_object().expect("a schema is an object");
        keywords.iter().try_for_each(|(keyword, says)| {
            let no = |why: &str| Err(format!("{at}: {why} {says}: {value}"));
            let members = |all: &Value| -> Vec<Value> { all.as_array().expect("a list").clone() };
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => Ok(()),
                "$ref" => self.check_at(at, self.find(says.as_str().expect("a name")), value),
                "type" if !is_a(value, says.as_str().expect("one type")) => no("is no"),
                "const" if value != says => no("is not"),
                "enum" if !members(says).contains(value) => no("is none of"),
                "anyOf" | "oneOf" => {
                    let fits = |one: &&Value| self.check_at(at, one, value).is_ok();
                    let count = says.as_array().expect("a list").iter().filter(fits).count();
                    let wants_one = keyword == "oneOf";
                    if count == 0 || wants_one && count != 1 { no("is not one of") } else { Ok(()) }
                }
                "minimum" if less(value, says) => no("is below"),
                "maximum" if less(says, value) => no("is above"),
                "maxItems" if value.as_array().is_some_and(|v| v.len() > length(says)) => {
                    no("has more items than")
                }
                "pattern" if !is_hash(value, says) => no("does not match"),
                "items" => self.items(at, says, value),
                "required" => {
                    let has = |name: &Value| value.get(name.as_str().expect("a name")).is_some();
                    if members(says).iter().all(has) { Ok(()) } else { no("has not all of") }
                }
                "properties" => {
                    let properties = says.as_object().expect("an object");
                    self.properties(at, properties, value)
                }
                "additionalProperties" => self.additional(at, keywords, says, value),
                "type" | "const" | "enum" | "minimum" | "maximum" | "maxItems" | "pattern" => {
                    Ok(())
                }
                other => panic!("{at}: `{other}` is not known here"),
            }
        })
    }

    fn find(&self, name: &str) -> &Value {
        let name = name.strip_prefix("#").expect("within the schema");
        self.0.pointer(name).unwrap_or_else(|| panic!("no {name}"))
    }

    fn items(&self, at: &str, schema: &Value, value: &Value) -> Result<(), String> {
        let items = value.as_array().into_iter().flatten().enumerate();
        let mut items = items.map(|(n, item)| (format!("{at}[{n}]"), item));
        items.try_for_each(|(at, item)| self.check_at(&at, schema, item))
    }

    fn properties(
        &self,
        at: &str,
        schemas: &Map<String, Value>,
        value: &Value,
    ) -> Result<(), String> {
        schemas.iter().try_for_each(|(name, schema)| match value.get(name) {
            Some(value) => self.check_at(&format!("{at}.{name}"), schema, value),
            None => Ok(()),
        })
    }

    /// What `properties` beside it does not name.
    fn additional(
        &self,
        at: &str,
        beside: &Map<String, Value>,
        schema: &Value,
        value: &Value,
    ) -> Result<(), String> {
        let is_named = |name: &str| beside.get("properties").is_some_and(|p| p.get(name).is_some());
        let others = value.as_object().into_iter().flatten().filter(|(name, _)| !is_named(name));
        for (name, value) in others {
            match schema {
                Value::Bool(false) => return Err(format!("{at}.{name} is not expected")),
                schema => self.check_at(&format!("{at}.{name}"), schema, value)?,
            }
        }
        Ok(())
    }
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("type {other} is not known here"),
    }
}

/// Of whole numbers, which are in an u64 or in an i64.
fn less(a: &Value, b: &Value) -> bool {
    let whole = |v: &Value| v.as_u64().map(i128::from).or(v.as_i64().map(i128::from));
    matches!((whole(a), whole(b)), (Some(a), Some(b)) if a < b)
}

fn length(value: &Value) -> usize {
    value.as_u64().expect("a length") as usize
}

/// The one pattern that is used.
fn is_hash(value: &Value, pattern: &Value) -> bool {
    assert_eq!(pattern, "^[0-9a-f]{16}$", "is not known here");
    let is_digit = |c: char| c.is_ascii_digit() || matches!(c, 'a'..='f');
    value.as_str().is_none_or(|text| text.len() == 16 && text.chars().all(is_digit))
}
