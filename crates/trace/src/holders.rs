//! Who holds the references to an object, and since when.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Action, Execution, Name};

/// A holder of references, as it was at the end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holder {
    /// `page cache`, `cpu1:lru_activate batch`.
    pub name: String,
    /// How many references it holds: at least 1.
    pub references: u64,
    /// The kernel function in which it got the latest; empty if the scenario began with it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub since: String,
    /// The index of that event among the counterexample's steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<usize>,
}

/// The holders of references to the object, if references to it are booked, in the order in which
/// they got them.
pub(crate) fn holders(execution: &Execution<'_>, object: u32) -> Vec<Holder> {
    let mut held: BTreeMap<Name, (u64, usize)> = BTreeMap::new();
    for (index, event) in execution.events.iter().enumerate() {
        if event.object != object {
            continue;
        }
        let (gives_up, gets) = match event.action {
            Action::Get(holder) => (None, Some(holder)),
            Action::Put(holder) => (Some(holder), None),
            Action::Hand(from, to) => (Some(from), Some(to)),
            _ => continue,
        };
        if let Some(holder) = gives_up
            && let Some((references, _)) = held.get_mut(&holder)
        {
            *references = references.saturating_sub(1);
        }
        if let Some(holder) = gets {
            let (references, since) = held.entry(holder).or_default();
            *references += 1;
            *since = index;
        }
    }
    let mut held: Vec<_> =
        held.into_iter().filter(|(_, (references, _))| *references > 0).collect();
    held.sort_by_key(|(_, (_, since))| *since);
    held.into_iter()
        .map(|(name, (references, step))| {
            let function = execution.paths.innermost(execution.events[step].path);
            Holder {
                name: name.to_string(),
                references,
                since: function.unwrap_or_default().into(),
                step: function.map(|_| step),
            }
        })
        .collect()
}
