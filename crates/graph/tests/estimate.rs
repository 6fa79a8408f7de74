//! How many executions a search expects there to be: the truth at the end, and on the way of its
//! order.

use graph::{Counts, Lock, Rmw, Search, choose, spawn};

use crate::programs;

fn cut(program: impl Fn() + 'static, executions_max: u64) -> Counts {
    Search { executions_max, ..Search::default() }.count(program)
}

#[test]
fn at_the_end_it_is_the_truth() {
    for (name, program) in programs::all().into_iter().filter(|(name, _)| *name != "W4 n=4") {
        let counts = Search::default().count(program);
        assert!(counts.complete, "{name}");
        assert_eq!(counts.explored(), 1.0, "{name}: nothing is left over, and nothing is lost");
        assert_eq!(counts.estimate(), Some(counts.executions as f64), "{name}");
    }
}

#[test]
fn where_all_branches_are_equally_large_it_is_the_truth_from_the_beginning() {
    let program = || {
        for _ in 0..6 {
            choose(3);
        }
    };
    for executions_max in [1, 2, 100, 728] {
        let counts = cut(program, executions_max);
        assert!(!counts.complete && counts.executions == executions_max);
        let estimate = counts.estimate().expect("an execution has been run");
        assert!((estimate - 729.0).abs() < 1e-6, "{executions_max}: {estimate}");
    }
}

/// Who comes late to a lock may be first: n tasks have n! executions, and the branches that are
/// explored first are the small ones, so that the guess is too high, and falls.
#[test]
fn on_the_way_it_is_of_the_right_order() {
    let locks = || {
        let lock = Lock::new();
        for _ in 0..6 {
            spawn(move || {
                lock.lock();
                lock.unlock();
            });
        }
    };
    let mut last = 0.0;
    for (executions_max, times) in [(72, 30.0), (360, 6.0), (600, 3.0), (719, 1.5)] {
        let counts = cut(locks, executions_max);
        let estimate = counts.estimate().expect("some executions have been run");
        assert!(estimate > 720.0 / times, "{executions_max} of 720: {estimate}");
        assert!(estimate < 720.0 * times, "{executions_max} of 720: {estimate}");
        assert!(counts.explored() > last, "what has been explored grows");
        last = counts.explored();
    }
    for executions_max in [1_885, 9_424, 18_000] {
        let counts = cut(programs::references(4, Rmw::Full), executions_max);
        let estimate = counts.estimate().expect("some executions have been run");
        assert!(estimate > 18_849.0 / 3.0, "{executions_max} of 18,849: {estimate}");
        assert!(estimate < 18_849.0 * 3.0, "{executions_max} of 18,849: {estimate}");
    }
}
