//! Telling how far a check is: a bar on a terminal, else a line every ten seconds, on stderr.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use selvedge_explore::{Progress, ProgressFn};

use crate::output;

/// How long nothing is said where there is no terminal.
const SILENCE: Duration = Duration::from_secs(10);

/// Shared by the threads that check.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    bar: Option<ProgressBar>,
    rows: usize,
    state: Mutex<State>,
}

struct State {
    done: usize,
    said: Instant,
}

impl Meter {
    /// For so many rows.
    pub fn new(rows: usize) -> Meter {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(rows as u64).with_style(style)
        });
        let state = Mutex::new(State { done: 0, said: Instant::now() });
        Meter(Arc::new(Inner { bar, rows, state }))
    }

    /// What an exploration of this row is to call.
    pub fn of_row(&self, name: &str) -> ProgressFn {
        // Subsystem and rule are long, and the line is not.
        let name = name.splitn(3, "::").last().unwrap_or(name);
        let (meter, name) = (self.clone(), name.to_string());
        Arc::new(move |progress| meter.tell(&name, progress))
    }

    fn tell(&self, name: &str, progress: &Progress) {
        let estimate = match progress.estimate {
            Some(total) => format!(" of about {total:.0}"),
            None => String::new(),
        };
        let text = format!("{} executions{estimate}: {name}", progress.executions);
        if let Some(bar) = &self.0.bar {
            bar.set_message(text);
            return;
        }
        let mut state = self.0.state.lock().expect("not poisoned");
        if state.said.elapsed() >= SILENCE {
            state.said = Instant::now();
            output::tell(&format!("{} of {} rows checked; {text}", state.done, self.0.rows));
        }
    }

    /// A row is done.
    pub fn row_done(&self) {
        self.0.state.lock().expect("not poisoned").done += 1;
        if let Some(bar) = &self.0.bar {
            bar.inc(1);
        }
    }

    /// All are.
    pub fn finish(&self) {
        if let Some(bar) = &self.0.bar {
            bar.finish_and_clear();
        }
    }
}
