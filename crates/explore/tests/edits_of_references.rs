//! Who leaves out a get or a put leaves out its booking, as who forgets it would; and a round over
//! the members of a group can leave one out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use selvedge_explore::edits::{Edit, install, leaves_out};
use selvedge_explore::{
    Access, Body, Bounds, Engine, Place, Rmw, Word, enter, explore, fail, join, note, spawn,
};
use selvedge_trace::{Action, Context, Execution, Finding, Monitor, Name, Rule, Site};

const HERE: Place = Place { cpu: Some(0), context: Context::Task, passes: [None, None] };
const BOTH: [Engine; 2] = [Engine::Dpor, Engine::Loom];
const COUNT: Name = Name::new("count");
const HOLDER: Name = Name::new("holder");

/// How many references the notes of an execution leave to the holder.
#[derive(Clone, Default)]
struct Booked(Arc<AtomicI64>);

impl Monitor for Booked {
    fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
        let of = |event: &selvedge_trace::Event| match event.action {
            Action::Get(_) => 1,
            Action::Put(_) => -1,
            _ => 0,
        };
        self.0.store(execution.events.iter().map(of).sum(), Relaxed);
        None
    }

    fn another(&self) -> Box<dyn Monitor> {
        Box::new(self.clone())
    }
}

fn get(count: &Word) {
    let _in = enter("get");
    count.update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
    note(Action::Get(HOLDER), count.object(), COUNT);
}

fn put(count: &Word) {
    let _in = enter("put");
    note(Action::Put(HOLDER), count.object(), COUNT);
    count.update_void(Rmw::Add(u64::MAX), Access::relaxed("atomic_dec"));
}

/// What is in the counter, and what is booked, after this task.
fn after(engine: Engine, edits: &'static [Edit], task: fn(&Word)) -> (u64, i64) {
    let booked = Booked::default();
    let counted = Arc::new(AtomicI64::new(0));
    let seen = counted.clone();
    let body: Body = Arc::new(move || {
        install(edits);
        let count = Arc::new(Word::new(COUNT, 0));
        let theirs = count.clone();
        join(spawn("task", HERE, move || task(&theirs)));
        seen.store(count.peek() as i64, Relaxed);
    });
    explore(engine, &Bounds::PROOF, vec![Box::new(booked.clone())], body);
    (counted.load(Relaxed) as u64, booked.0.load(Relaxed))
}

#[test]
fn a_reference_that_is_not_taken_is_not_booked() {
    const NO_GET: &[Edit] = &[Edit::drop(Site::of("atomic_inc").within("get"))];
    for engine in BOTH {
        assert_eq!(after(engine, &[], get), (1, 1), "{engine}");
        assert_eq!(after(engine, NO_GET, get), (0, 0), "{engine}");
        // The note of a later get is not the one that belongs to the step.
        let twice: fn(&Word) = |count| {
            get(count);
            count.update_void(Rmw::Add(1), Access::relaxed("atomic_inc"));
            note(Action::Get(HOLDER), count.object(), COUNT);
        };
        assert_eq!(after(engine, NO_GET, twice), (1, 1), "{engine}");
    }
}

#[test]
fn a_reference_that_is_not_given_back_stays_booked() {
    const NO_PUT: &[Edit] = &[Edit::drop(Site::of("atomic_dec").within("put"))];
    let both: fn(&Word) = |count| {
        get(count);
        put(count);
    };
    for engine in BOTH {
        assert_eq!(after(engine, &[], both), (0, 0), "{engine}");
        assert_eq!(after(engine, NO_PUT, both), (1, 1), "{engine}");
    }
}

/// No remark says that a reference is given back which was never taken.
#[test]
fn who_leaves_out_a_get_and_its_put_says_nothing_of_either() {
    const NEITHER: &[Edit] = &[
        Edit::drop(Site::of("atomic_inc").within("get")),
        Edit::drop(Site::of("atomic_dec").within("put")),
    ];
    #[derive(Clone)]
    struct Remarks(Arc<AtomicI64>);
    impl Monitor for Remarks {
        fn execution(&mut self, execution: &Execution<'_>) -> Option<Finding> {
            let is_one =
                |e: &&selvedge_trace::Event| matches!(e.action, Action::Get(_) | Action::Put(_));
            self.0.fetch_add(execution.events.iter().filter(is_one).count() as i64, Relaxed);
            None
        }

        fn another(&self) -> Box<dyn Monitor> {
            Box::new(self.clone())
        }
    }
    for engine in BOTH {
        let remarks = Remarks(Arc::default());
        let body: Body = Arc::new(|| {
            install(NEITHER);
            let count = Word::new(COUNT, 0);
            get(&count);
            put(&count);
        });
        let seen = explore(engine, &Bounds::PROOF, vec![Box::new(remarks.clone())], body);
        assert!(seen.idle_edits.is_empty() && seen.executions > 0, "{engine}");
        assert_eq!(remarks.0.load(Relaxed), 0, "{engine}");
    }
}

#[test]
fn a_round_leaves_out_the_member_that_the_edit_names() {
    const RULE: Rule = Rule("it does not happen");
    const SKIP: &[Edit] = &[Edit::skip("for_each_disk", "sdb", "spin_up")];
    let visited = |function: &'static str, round: &str| {
        let _in = enter(function);
        let disks = ["sda", "sdb", "sdc"].into_iter();
        disks.filter(|disk| !leaves_out(round, disk)).collect::<Vec<_>>().join(" ")
    };
    for engine in BOTH {
        let body: Body = Arc::new(move || {
            install(SKIP);
            let all = "sda sdb sdc";
            let another = [("stop", "for_each_disk"), ("spin_up", "for_each_partition")];
            if visited("spin_up", "for_each_disk") != "sda sdc"
                || another.into_iter().any(|(function, round)| visited(function, round) != all)
            {
                fail(RULE, "another member was left out");
            }
        });
        let seen = explore(engine, &Bounds::PROOF, Vec::new(), body);
        assert!(seen.idle_edits.is_empty() && seen.counterexample.is_none(), "{engine}");
    }
}
