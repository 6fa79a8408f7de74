//! Ctrl-C, and SIGTERM as a CI sends it: what is done is printed, the rest is undecided.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::Failure;
use crate::output;

/// Whether somebody wants it to stop.
pub struct Interrupt {
    flag: Arc<AtomicBool>,
    said: AtomicBool,
}

impl Interrupt {
    /// From now on. A second signal ends the process.
    pub fn catch() -> Result<Interrupt, Failure> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag not set.
            let registered = flag::register_conditional_default(signal, flag.clone())
                .and_then(|_| flag::register(signal, flag.clone()));
            registered.map_err(|error| Failure::new(format!("cannot catch Ctrl-C: {error}")))?;
        }
        Ok(Interrupt { flag, said: AtomicBool::new(false) })
    }

    /// What is set when it is to stop.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.flag.clone()
    }

    /// Is it to stop? Who asks first is told what comes of it.
    pub fn is_set(&self) -> bool {
        self.tell();
        self.flag.load(Ordering::Relaxed)
    }

    /// Says once, if it is to stop, what comes of it.
    pub fn tell(&self) {
        if self.flag.load(Ordering::Relaxed) && !self.said.swap(true, Ordering::Relaxed) {
            output::tell(
                "selvedge: interrupted: what is done will be printed, the rest is undecided",
            );
        }
    }
}
