//! Whether the later step of a dependency could have come first: what blocks a step is looked up in
//! the steps that would come before it.

use super::{Analysis, Event, Race};
use crate::effect::EffectKind;
use crate::{Kind, Until};

impl Analysis {
    /// Could the step `later` be taken if it came just before `earlier`, after what comes after
    /// `earlier` without depending on it? A step that was blocked at the end of the execution may
    /// be blocked by something that it does not need: then without that.
    pub(super) fn is_enabled_without(&self, earlier: usize, later: usize) -> bool {
        self.finds_its_way(earlier, later, false)
            || (later >= self.taken && self.finds_its_way(earlier, later, true))
    }

    /// Would the later step of a race be blocked, as it was at the end of the execution, by
    /// something that it does not need?
    pub(crate) fn is_blocked_without(&self, Race { earlier, later }: Race) -> bool {
        later >= self.taken && !self.finds_its_way(earlier, later, false)
    }

    /// Would the step `later`, if it came just before `earlier`, after what comes after `earlier`
    /// without depending on it, find its locks free, its token set, and in its word the value that
    /// it waits for? With `needs`, only after what of that happens before `later`.
    fn finds_its_way(&self, earlier: usize, later: usize, needs: bool) -> bool {
        let Event { task, ref effect, .. } = self.events[later];
        let op = self.op(later);
        let is_kept = |event| self.is_kept(event, earlier, later, needs);
        let is_free = |lock: u32| {
            let events = self.moves_by_others(lock, task).iter().map(|&event| event as usize);
            let mut kept = events.filter(|&event| self.is_kept(event, earlier, later, needs));
            let last = kept.next_back().map(|event| &self.events[event]);
            last.is_none_or(|last| last.effect.kind == EffectKind::Release || last.task == task)
        };
        effect.passes.iter().all(is_free)
            && (!matches!(op.kind, Kind::Lock) || is_free(effect.object))
            && self.finds_token_set(earlier, later, needs)
            && match op.kind {
                Kind::Await(_, until) => self.ends_wait(until, effect.object, is_kept),
                _ => true,
            }
    }

    /// Is the wait over at the value that the word has after those accesses to it that are kept?
    fn ends_wait(&self, until: Until, word: u32, is_kept: impl Fn(usize) -> bool) -> bool {
        let list = self.by_object.get(word as usize).map_or(&[][..], Vec::as_slice);
        let mut accesses = list.iter().map(|&event| event as usize).peekable();
        let first = accesses.peek().map(|&event| self.details[event].values.found);
        let value =
            accesses.filter(|&event| is_kept(event)).fold(first, |value, event| {
                match self.events[event].effect.kind {
                    EffectKind::Access(footprint) => {
                        value.map(|value| self.details[event].values.left_instead(footprint, value))
                    }
                    _ => value,
                }
            });
        value.is_some_and(|value| until.is_met(value))
    }

    /// Would the token that `later` waits for, if it waits for one, be set if `later` came just
    /// before `earlier`? The rest is as in [`Analysis::finds_its_way`].
    fn finds_token_set(&self, earlier: usize, later: usize, needs: bool) -> bool {
        let EffectKind::Wait { .. } = self.events[later].effect.kind else { return true };
        let token = self.events[later].effect.object;
        let list = self.by_object.get(token as usize).map_or(&[][..], Vec::as_slice);
        let events = list.iter().map(|&event| event as usize);
        let kept = events.filter(|&event| self.is_kept(event, earlier, later, needs));
        kept.fold(false, |set, event| match self.events[event].effect.kind {
            EffectKind::Wake => true,
            EffectKind::Wait { consume: true } => false,
            _ => set,
        })
    }

    /// Is the event before `later`, if that comes just before `earlier`? See
    /// [`Analysis::finds_its_way`].
    fn is_kept(&self, event: usize, earlier: usize, later: usize, needs: bool) -> bool {
        event < earlier
            || (!self.is_before(earlier, event)
                && (!needs || self.is_before_previous(event, later)))
    }
}
