//! Random small programs around `migrate_pages()`: two migrators, a writer, a journal, lookups, a
//! truncation, over two folios with buffers or three without, explored completely where that is
//! possible within the limit. In releases since the batches were mended nobody waits for ever; in
//! every release every folio ends in one state, no target is left over, references and buffers'
//! counts balance.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use selvedge_explore::{Bounds, Engine, Verdict, explore};
use selvedge_kernel::{Name, Rule, fail, join, set_bit};
use selvedge_models::fs::buffer::{
    __find_get_block, Finder, put_bh, trylock_buffer, unlock_buffer,
};
use selvedge_models::fs::iomap::iomap_writepages;
use selvedge_models::mm::filemap::truncate_inode_folio;
use selvedge_models::mm::migrate::{
    Aops, ISOLATION, Migrator, Mode, migrate_pages, putback_movable_pages,
};
use selvedge_models::mm::page_writeback::{SyncMode, filemap_get_folios_tag, folio_batch_release};
use selvedge_models::mm::vmscan::{folio_putback_lru, isolate_lru_folios};
use selvedge_models::trees::{M0, M2, M4, M6S, M7, M7A};
use selvedge_models::{BH_LOCK, Folio, Kernel, Machine, PG_DIRTY, PG_LOCKED, PG_PRIVATE, Tree};
use selvedge_monitors::standard;
use selvedge_proofs::rules::MIGRATION_HAS_ONE_END;
use selvedge_trace::table;

const BUFFERS_BALANCE: Rule = Rule("nobody has a buffer, or its lock, when all have returned");

/// A call; folios by index.
#[derive(Clone, Copy, Debug)]
enum Call {
    Migrate(Mode, bool),
    Write,
    LockBuffer(usize),
    Find(usize),
    Truncate(usize),
}

fn other() -> impl Strategy<Value = Call> {
    use Call::*;
    prop_oneof![
        Just(Write),
        (0..2_usize).prop_map(LockBuffer),
        (0..2_usize).prop_map(Find),
        (0..2_usize).prop_map(Truncate),
    ]
}

fn migration() -> impl Strategy<Value = Call> {
    let mode = prop_oneof![Just(Mode::Async), Just(Mode::SyncLight), Just(Mode::Sync)];
    (mode, any::<bool>()).prop_map(|(mode, reversed)| Call::Migrate(mode, reversed))
}

fn execute(k: &Kernel, call: Call) {
    match call {
        Call::Migrate(mode, reversed) => {
            let mut isolated = isolate_lru_folios(k, ISOLATION);
            isolated.retain(|&index| {
                // Where it migrated to before has no target of its own.
                let is_first = index < k.sizes.folios;
                if !is_first {
                    folio_putback_lru(k, &k.folios[index], ISOLATION);
                }
                is_first
            });
            if reversed {
                isolated.reverse();
            }
            let left = migrate_pages(k, &isolated, Migrator { mode, memalloc: false });
            putback_movable_pages(k, &left);
        }
        Call::Write => {
            let fbatch = filemap_get_folios_tag(k, &[0, 1]);
            iomap_writepages(k, &fbatch, SyncMode::All).into_iter().for_each(join);
            folio_batch_release(k, &fbatch);
        }
        Call::LockBuffer(nr) if nr < k.buffer_heads.len() => {
            let bh = &k.buffer_heads[nr];
            if trylock_buffer(bh) {
                unlock_buffer(k, bh);
            }
        }
        Call::Find(nr) if nr < k.buffer_heads.len() => {
            let finder = Name::new("finder");
            let found = __find_get_block(k, &k.buffer_heads[nr], finder, Finder::MaySleep);
            if let Some(bh) = found {
                put_bh(bh, finder);
            }
        }
        Call::Truncate(page) => truncate_inode_folio(k, page),
        Call::LockBuffer(_) | Call::Find(_) => {}
    }
}

/// References of a folio at rest.
fn accounted(k: &Kernel, folio: &Folio) -> i64 {
    let batches = k.cpus.online().flat_map(|cpu| k.cpu_fbatches.of(cpu).all());
    let batched = batches.flat_map(|batch| batch.entries()).filter(|&f| f == folio.index).count();
    let is_cached = k.i_pages.iter().any(|slot| slot.peek() == folio.index as u64 + 1);
    i64::from(is_cached) + i64::from(folio.flags.peek(PG_PRIVATE)) + batched as i64
}

fn look(k: &Kernel) {
    for folio in &k.folios {
        let (count, expected) = (folio.refcount.peek(), accounted(k, folio));
        let is_freed = folio.freed.peek() != 0;
        if count != expected || is_freed != (expected == 0) || folio.flags.peek(PG_LOCKED) {
            let message = format!("folio{}: {count}, should be {expected}", folio.index);
            fail(MIGRATION_HAS_ONE_END, message);
        }
    }
    let slots = k.cpus.online().flat_map(|cpu| k.bh_lrus.of(cpu));
    let cached: Vec<u64> = slots.map(|slot| slot.peek()).collect();
    for bh in &k.buffer_heads {
        let in_lrus = cached.iter().filter(|&&slot| slot == bh.index as u64 + 1).count() as i64;
        if bh.b_count.peek() != in_lrus || bh.b_state.peek(BH_LOCK) {
            fail(BUFFERS_BALANCE, format!("bh{}", bh.index));
        }
    }
}

/// The verdict on the program: one call on each CPU. What is too large is not decided, and not
/// claimed.
fn verdict(
    tree: &'static Tree,
    has_buffers: bool,
    program: &[Call],
    executions_max: u64,
) -> (Verdict, String) {
    let calls = program.to_vec();
    let machine = Machine::TINY
        .cpus(program.len())
        .sleepers(program.len())
        .folios(2)
        .buffer_heads(2)
        .aops(if has_buffers { &[Aops::BuffersNorefs, Aops::Buffers] } else { &[] })
        .listed()
        .spares()
        .writeback()
        .dirty()
        .batch(3);
    let body = Arc::new(move || {
        let k = Kernel::new(tree, machine);
        for bh in &k.buffer_heads {
            put_bh(bh, Name::new("user of the bh"));
        }
        for folio in &k.folios[..2] {
            set_bit(PG_DIRTY, &folio.flags);
        }
        let tasks: Vec<usize> = (calls.iter().copied().enumerate())
            .map(|(cpu, call)| k.task(cpu, "caller", move |k| execute(k, call)))
            .collect();
        tasks.into_iter().for_each(join);
        look(&k);
    });
    let bounds = Bounds { executions_max, ..Bounds::PROOF };
    let seen = explore(Engine::Dpor, &bounds, standard(), body);
    (seen.verdict, seen.counterexample.as_ref().map(table).unwrap_or_default())
}

/// `PROPTEST_CASES` for more.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(12)
}

fn config() -> ProptestConfig {
    let regressions = FileFailurePersistence::WithSource("proptest-regressions");
    ProptestConfig {
        cases: cases(),
        failure_persistence: Some(Box::new(regressions)),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_always_holds_holds(
        has_buffers: bool,
        first in migration(),
        second in prop_oneof![migration(), other()],
        third in prop::option::of(other()),
    ) {
        let program: Vec<Call> = [first, second].into_iter().chain(third).collect();
        for tree in [&M0, &M4, &M6S, &M7A, &M7] {
            let (verdict, table) = verdict(tree, has_buffers, &program, 1_000);
            prop_assert!(verdict != Verdict::Violated, "{}:\n{table}", tree.name);
            let limit = matches!(&verdict, Verdict::Undecided(why) if why.contains("executions"));
            prop_assert!(verdict == Verdict::Holds || limit, "{}: {verdict}", tree.name);
        }
    }
}

/// The rules above can fail: the first deadlock of the batches of February 2023 is such a program.
#[test]
fn the_batches_of_early_2023_are_found() {
    let program = [Call::Migrate(Mode::Sync, false), Call::Write];
    assert_eq!(verdict(&M2, false, &program, 200_000).0, Verdict::Violated);
}
