//! Rules of safety that every scenario is checked by, whatever it is about: what a pin or a lookup
//! that succeeded must be, and what becomes of the stores of user space. A scenario names what it
//! is about besides.
//!
//! What is looked for while an execution runs is a monitor: it sees the steps, and takes none.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use selvedge_kernel::{Rule, fail_about};
use selvedge_models::mm::gup::GUP_PIN;
use selvedge_models::mm::rmap::MIGRATION_ENTRY;
use selvedge_models::{Folio, Kernel};
use selvedge_trace::{Action, Event, Execution, Finding, Judges, Monitor, Name};
use serde_json::Value;

use super::{Ids, LOOKUP_IS_OF_THE_CACHED_FOLIO, NO_STORE_IS_LOST};

/// What the look at the reference count before a migration is for.
pub const A_PINNED_FOLIO_STAYS: Rule =
    Rule("a pinned folio is where its page is as long as it is pinned");
/// What each process, and the file, rely on.
pub const A_PAGE_IS_ONE_FOLIO: Rule =
    Rule("a page is one folio, wherever it is mapped, and mapped as often as the folio says");

pub(super) const IDS_OF_SAFETY: Ids =
    &[("pinned-stays", A_PINNED_FOLIO_STAYS), ("page-is-one-folio", A_PAGE_IS_ONE_FOLIO)];

/// All rules about how a scenario has ended.
pub(crate) fn ended_safely(k: &Kernel) {
    pinned_folios_stay(k);
    pages_are_one_folio(k);
    last_stores_are_there(k);
}

/// The folio that is mapped at this page, if any.
fn mapped(k: &Kernel, page: usize) -> Option<&Folio> {
    let entry = k.ptes[page].peek();
    let is_present = entry != 0 && entry & MIGRATION_ENTRY == 0;
    is_present.then(|| &k.folios[entry as usize - 1])
}

/// The folio of this page in the page cache, if any.
fn cached(k: &Kernel, page: usize) -> Option<&Folio> {
    k.i_pages[page].peek().checked_sub(1).map(|index| &k.folios[index as usize])
}

/// [`A_PINNED_FOLIO_STAYS`], of folios that are still pinned: no other folio is in their place, and
/// they have not been freed.
fn pinned_folios_stay(k: &Kernel) {
    for folio in k.pinned().map(|index| &k.folios[index]) {
        let page = folio.page_index;
        let is_elsewhere = |now: Option<&Folio>| now.is_some_and(|now| now.index != folio.index);
        let (index, object) = (folio.index, folio.refcount.object());
        if is_elsewhere(mapped(k, page)) || is_elsewhere(cached(k, page)) {
            let message = format!("folio{index} is pinned, and its page is another folio now");
            fail_about(A_PINNED_FOLIO_STAYS, message, object);
        }
        if folio.freed.peek() != 0 {
            fail_about(A_PINNED_FOLIO_STAYS, format!("folio{index} is pinned, and freed"), object);
        }
    }
}

/// [`A_PAGE_IS_ONE_FOLIO`], where there is a process. (Other scenarios use an entry, or a mapcount,
/// for something else.)
fn pages_are_one_folio(k: &Kernel) {
    if !k.initial.mapped {
        return;
    }
    for page in 0..k.ptes.len() {
        if let (Some(here), Some(there)) = (mapped(k, page), cached(k, page))
            && here.index != there.index
        {
            let message = format!(
                "page {page} is folio{} where it is mapped, and folio{} in the page cache",
                here.index, there.index,
            );
            fail_about(A_PAGE_IS_ONE_FOLIO, message, k.ptes[page].object());
        }
    }
    for folio in &k.folios {
        let is_here = |page: &usize| mapped(k, *page).is_some_and(|f| f.index == folio.index);
        let times = (0..k.ptes.len()).filter(is_here).count() as i64;
        let says = folio.mapcount.peek();
        // A migration entry that is left over is another rule's.
        let is_left_over =
            k.ptes.iter().any(|pte| pte.peek() == MIGRATION_ENTRY | (folio.index as u64 + 1));
        if times != says && !is_left_over {
            let message = format!("folio{} is mapped {times} times, counts {says}", folio.index);
            fail_about(A_PAGE_IS_ONE_FOLIO, message, folio.mapcount.object());
        }
    }
}

/// [`NO_STORE_IS_LOST`]: a page that is still there holds the last store of one of the CPUs, or
/// devices, that have stored to it. Which of them was last is not said where there are several.
fn last_stores_are_there(k: &Kernel) {
    let stores = k.last_stores();
    for page in 0..k.ptes.len() {
        let Some(folio) = mapped(k, page).or_else(|| cached(k, page)) else { continue };
        let values: Vec<u64> =
            stores.iter().filter(|((of, _), _)| *of == page).map(|(_, &value)| value).collect();
        let holds = folio.contents.peek();
        if !values.is_empty() && !values.contains(&holds) {
            let message = format!("{values:?} was stored to page {page}, which holds {holds}");
            fail_about(NO_STORE_IS_LOST, message, folio.contents.object());
        }
    }
}

/// No folio is replaced in the page cache while somebody has pinned it
/// ([`A_PINNED_FOLIO_STAYS`]), or has looked it up ([`LOOKUP_IS_OF_THE_CACHED_FOLIO`]), and has not
/// let go of it yet. (A folio that is truncated is not replaced.)
#[derive(Default)]
pub(crate) struct Replaced {
    holders: BTreeMap<u8, Vec<Holder>>,
    /// Which events of the last execution changed them; how many it looked at without a finding.
    changes: Vec<usize>,
    looked_at: usize,
    /// With how many events the next execution begins as the last.
    alike: usize,
}

/// Who has a reference of one of these kinds to a folio.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Holder {
    name: Name,
    task: u8,
    rule: Rule,
}

impl Monitor for Replaced {
    fn another(&self) -> Box<dyn Monitor> {
        Box::<Replaced>::default()
    }

    // From one execution to the next it keeps nothing.
    fn kept(&self) -> Option<Value> {
        Some(Value::Null)
    }

    fn begins_alike(&mut self, events: usize) {
        self.alike = events;
    }

    fn judges(&self) -> Judges {
        Judges::SoFar
    }

    fn so_far(&mut self, beginning: &Execution<'_>, mut hash: &mut dyn Hasher) {
        self.holders.clear();
        for event in beginning.events {
            self.change(beginning, event);
        }
        self.holders.retain(|_, holders| !holders.is_empty());
        self.holders.hash(&mut hash);
    }

    // Of what the last execution began with too it only goes through what changed who holds what.
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        self.holders.clear();
        let known = std::mem::take(&mut self.alike).min(self.looked_at);
        let mut changes = std::mem::take(&mut self.changes);
        changes.truncate(changes.partition_point(|&at| at < known));
        for &at in &changes {
            self.change(execution, &execution.events[at]);
        }
        self.looked_at = execution.events.len();
        let mut finding = None;
        for (at, event) in execution.events.iter().enumerate().skip(known) {
            if self.change(execution, event) {
                changes.push(at);
            } else if let Some((rule, message)) = self.broken_by(event) {
                self.looked_at = at;
                finding = Some(Finding { rule, message, event: Some(at) });
                break;
            }
        }
        self.changes = changes;
        finding
    }
}

impl Replaced {
    /// Goes through an event; `false`: it does not change who holds what.
    #[inline]
    fn change(&mut self, execution: &Execution<'_>, event: &Event) -> bool {
        match event.action {
            Action::Get(name) => self.gets(execution, event, name).is_some(),
            Action::Put(name) => self.puts(event, name).is_some(),
            _ => false,
        }
    }

    fn gets(&mut self, execution: &Execution<'_>, event: &Event, name: Name) -> Option<()> {
        let is_lookup = execution.paths.functions(event.path).contains(&"filemap_get_entry");
        let rule = match is_lookup {
            true => LOOKUP_IS_OF_THE_CACHED_FOLIO,
            false if name == GUP_PIN => A_PINNED_FOLIO_STAYS,
            false => return None,
        };
        let holder = Holder { name, task: event.task, rule };
        self.holders.entry(event.name.index?).or_default().push(holder);
        Some(())
    }

    fn puts(&mut self, event: &Event, name: Name) -> Option<()> {
        let holders = self.holders.get_mut(&event.name.index?)?;
        let is_it = |holder: &Holder| holder.name == name;
        // Of several of one name, that of this task first.
        let mine = holders.iter().position(|h| is_it(h) && h.task == event.task);
        holders.remove(mine.or_else(|| holders.iter().position(is_it))?);
        Some(())
    }

    #[inline]
    fn broken_by(&self, event: &Event) -> Option<(Rule, String)> {
        match event.action {
            Action::Write if event.name.text == "i_pages" => self.store(event),
            _ => None,
        }
    }

    fn store(&self, event: &Event) -> Option<(Rule, String)> {
        let old = event.old.checked_sub(1)?;
        if event.new == 0 || event.new == event.old {
            return None;
        }
        let holder = self.holders.get(&(old as u8))?.first()?;
        let message = format!("folio{old} is replaced while {} has it", holder.name);
        Some((holder.rule, message))
    }
}

#[cfg(test)]
mod tests {
    use selvedge_trace::{End, PathId, Paths};

    use super::*;

    fn show(monitor: &mut Replaced, events: &[Event], paths: &Paths) -> Option<Finding> {
        monitor.execution(&Execution { events, paths, tasks: &[], end: &End::Complete })
    }

    #[test]
    fn who_goes_on_where_two_executions_part_finds_what_he_finds_from_the_beginning() {
        let mut state = 1_u64;
        let mut below = |limit: usize| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 33) as usize % limit
        };
        let mut paths = Paths::default();
        let nests = [PathId::ROOT, paths.enter(PathId::ROOT, "filemap_get_entry")];
        let (mut goes_on, mut events, mut found) = (Replaced::default(), Vec::new(), [0, 0]);
        for _ in 0..4_000 {
            let alike = below(events.len() + 1);
            events.truncate(alike);
            for _ in 0..below(6) {
                let name = [GUP_PIN, Name::new("another")][below(2)];
                let action = [Action::Get(name), Action::Put(name), Action::Write][below(3)];
                let about = ["folio->refcount", "i_pages"][usize::from(action == Action::Write)];
                let (old, new) = (below(3) as u64, below(3) as u64);
                events.push(Event {
                    name: Name::new(about).nth(below(2)),
                    path: nests[below(2)],
                    old,
                    new,
                    ..Event::of(below(3) as u8, action, 0)
                });
            }
            goes_on.begins_alike(alike);
            let finding = show(&mut goes_on, &events, &paths);
            assert_eq!(finding, show(&mut Replaced::default(), &events, &paths));
            found[usize::from(finding.is_some())] += 1;
        }
        assert!(found.iter().all(|&times| times > 100), "{found:?}: both happen");
    }
}
