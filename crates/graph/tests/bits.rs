//! Bits of one word are no words of their own: the kernel's model has coherence for words, and so
//! orders steps on different bits of one which it does not order on two words. Programs rely on it:
//! a waiter sets one flag and looks at another, of the same word, with no barrier in between.
//! Nothing of that is seen under sequential consistency.

use graph::{End, Execution, Load, Model, Next, Rmw, Search, Store, Word, check, spawn};

/// Two flags: the first two bits of one word, or of a word each.
#[derive(Clone, Copy)]
struct Flags([Word; 2]);

impl Flags {
    fn new(is_one_word: bool) -> Flags {
        let first = Word::new(0);
        Flags([first, if is_one_word { first } else { Word::new(0) }])
    }

    fn set(self, flag: usize, strength: Rmw) {
        self.0[flag].update_void(strength, move |old| old | 1 << flag);
    }

    fn test(self, flag: usize, strength: Load) -> bool {
        self.0[flag].load(strength) >> flag & 1 != 0
    }
}

/// Does a program fail in some execution, with the flags in one word, and in two?
fn fails(program: fn(Flags), model: Model) -> [bool; 2] {
    [true, false].map(|is_one_word| {
        let main = move || program(Flags::new(is_one_word));
        let mut has_failed = false;
        let counts = Search::of(model).run(main, &mut |end: &End, _: &Execution<'_>| {
            has_failed |= matches!(end, End::Failed(_));
            Next::Continue
        });
        assert!(counts.complete);
        has_failed
    })
}

/// Each task sets a flag, and looks at the other one: one of them sees it, if they are one word.
fn set_and_look(flags: Flags) {
    let seen = [Word::new(2), Word::new(2)];
    let tasks = [0, 1].map(|me| {
        spawn(move || {
            flags.set(me, Rmw::Relaxed);
            seen[me].store(u64::from(flags.test(1 - me, Load::Relaxed)), Store::Relaxed);
        })
    });
    tasks.into_iter().for_each(|task| task.join());
    let seen = seen.map(|seen| seen.load(Load::Relaxed));
    check(seen != [0, 0], "somebody sees the other's flag");
}

/// Who sees the second flag sees the first, if they are one word.
fn one_after_the_other(flags: Flags) {
    spawn(move || {
        flags.set(0, Rmw::Relaxed);
        flags.set(1, Rmw::Relaxed);
    });
    let second = flags.test(1, Load::Relaxed);
    let first = flags.test(0, Load::Relaxed);
    check(first || !second, "the first flag came before the second");
}

/// Who sees both flags sees what was done before the release of one, although the other one, which
/// orders nothing, was looked at as an acquire: in one word that carries on what the first released
/// if it came later.
fn carries_on(flags: Flags) {
    let data = Word::new(0);
    spawn(move || {
        data.store(1, Store::Relaxed);
        flags.set(0, Rmw::Release);
    });
    spawn(move || flags.set(1, Rmw::Relaxed));
    let are_seen = flags.test(1, Load::Acquire) && flags.test(0, Load::Relaxed);
    let both_at_once = are_seen && flags.test(1, Load::Acquire);
    check(!both_at_once || data.load(Load::Relaxed) == 1, "the data was there before the flag");
}

#[test]
fn steps_on_bits_of_one_word_are_ordered_where_those_on_two_words_are_not() {
    for program in [set_and_look, one_after_the_other, carries_on] {
        assert_eq!(fails(program, Model::Kernel), [false, true]);
        assert_eq!(fails(program, Model::Sc), [false, false]);
    }
}
