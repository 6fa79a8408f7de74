//! The directory of the cache in which everything of one tree lies.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Error, Result};

/// Our side of the image: headers that come before the kernel's, probes, tasks, the world around.
const GATE: &[(&str, &str)] = &[
    ("asm/barrier.h", include_str!("../../../gate/asm/barrier.h")),
    ("asm/bug.h", include_str!("../../../gate/asm/bug.h")),
    ("asm/current.h", include_str!("../../../gate/asm/current.h")),
    ("asm/irqflags.h", include_str!("../../../gate/asm/irqflags.h")),
    ("asm/percpu.h", include_str!("../../../gate/asm/percpu.h")),
    ("asm/preempt.h", include_str!("../../../gate/asm/preempt.h")),
    ("asm/smp.h", include_str!("../../../gate/asm/smp.h")),
    ("linux/instrumented.h", include_str!("../../../gate/linux/instrumented.h")),
    ("probes/fs/buffer.c", include_str!("../../../gate/probes/fs/buffer.c")),
    ("probes/mm/gup.c", include_str!("../../../gate/probes/mm/gup.c")),
    ("probes/mm/filemap.c", include_str!("../../../gate/probes/mm/filemap.c")),
    ("probes/mm/mlock.c", include_str!("../../../gate/probes/mm/mlock.c")),
    ("probes/mm/vmscan.c", include_str!("../../../gate/probes/mm/vmscan.c")),
    ("probes/mm/swap.c", include_str!("../../../gate/probes/mm/swap.c")),
    ("selvedge.h", include_str!("../../../gate/selvedge.h")),
    ("fault.c", include_str!("../../../gate/fault.c")),
    ("migrate.c", include_str!("../../../gate/migrate.c")),
    ("tasks.c", include_str!("../../../gate/tasks.c")),
    ("world.c", include_str!("../../../gate/world.c")),
    ("cc", include_str!("../../../gate/cc")),
];

/// The kernel configuration: tinyconfig, and this.
pub const CONFIG: &str = include_str!("../../../gate/kernel.config");

/// A directory of our own, held against other processes.
#[derive(Debug)]
pub struct Cache {
    /// The directory.
    pub dir: PathBuf,
    /// Locked as long as it is open.
    _lock: File,
}

impl Cache {
    /// The directory of what these words identify, made if there is none. Waits while another
    /// process uses it, and says which, now and then, until `gives_up` says that it need not.
    pub fn open(
        identity: &[&str],
        gives_up: &dyn Fn() -> bool,
        say: &dyn Fn(&str),
    ) -> Result<Cache> {
        let dir = root()?.join(format!("{:016x}", hash(identity)));
        fs::create_dir_all(&dir).map_err(|error| Error::io("make", &dir, &error))?;
        let path = dir.join("lock");
        // Not emptied: it says who holds it.
        let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let mut lock = opened.map_err(|error| Error::io("make", &path, &error))?;
        let mut says_next = Instant::now();
        while !is_locked(&lock) {
            if gives_up() {
                return Err(Error::new("interrupted while another was at work on this tree"));
            }
            if Instant::now() >= says_next {
                say(&format!("waiting: {} (it holds {})", holder(&path), path.display()));
                says_next += SAYS_EVERY;
            }
            std::thread::sleep(LOOKS_EVERY);
        }
        keep_for_children(&lock);
        // For whoever waits for us; without it they wait as well.
        let _ = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
        Ok(Cache { dir, _lock: lock })
    }

    /// Our side of the image, written out; `cc` is the compiler, with these flags of its own. Its
    /// name says which version it is.
    pub fn gate(&self, cc: &str, flags: &str) -> Result<PathBuf> {
        let texts: Vec<&str> = GATE.iter().flat_map(|&(name, text)| [name, text]).collect();
        let of = hash(&[&texts[..], &[cc, flags]].concat());
        let dir = self.dir.join(format!("gate-{of:016x}"));
        if dir.join("cc").is_file() {
            make_executable(&dir.join("cc"))?;
            return Ok(dir);
        }
        // The compiler comes last: where it is, all is, but that it may not be executable yet.
        for (name, text) in GATE {
            let text = text.replace("@GATE@", &dir.display().to_string()).replace("@CC@", cc);
            let text = text.replace("@FLAGS@", flags);
            write(&dir.join(name), &text)?;
        }
        make_executable(&dir.join("cc"))?;
        Ok(dir)
    }
}

/// How often who waits for another process looks whether it has ended.
const LOOKS_EVERY: Duration = Duration::from_millis(200);
/// How often it says for whom it waits.
const SAYS_EVERY: Duration = Duration::from_secs(30);

/// Who is at work, by what the lock says.
fn holder(lock: &Path) -> String {
    let pid = fs::read_to_string(lock).unwrap_or_default();
    match pid.trim().parse::<u32>() {
        Ok(pid) if Path::new(&format!("/proc/{pid}")).exists() => {
            format!("`selvedge c` is at work on this tree as process {pid}")
        }
        Ok(pid) => format!(
            "what `selvedge c` compiled as process {pid}, which has ended, is about to end as well"
        ),
        Err(_) => "another `selvedge c` is at work on this tree".into(),
    }
}

/// Is it ours now? False: it is somebody else's. A file system without locks is used without.
#[expect(unsafe_code, reason = "flock(2), of a file that is open")]
fn is_locked(file: &File) -> bool {
    // SAFETY: the descriptor is open.
    let answer = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    answer == 0 || std::io::Error::last_os_error().kind() != std::io::ErrorKind::WouldBlock
}

/// A make that outlives us, since we were killed, still writes here: it keeps the lock.
#[expect(unsafe_code, reason = "fcntl(2), of a file that is open")]
fn keep_for_children(file: &File) {
    // SAFETY: the descriptor is open.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) };
}

/// `$XDG_CACHE_HOME/selvedge/c`, or as the standard says where that is not set.
fn root() -> Result<PathBuf> {
    let set =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|dir| dir.is_absolute());
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let none = "neither XDG_CACHE_HOME nor HOME is set: there is no place for what is compiled";
    Ok(cache.ok_or_else(|| Error::new(none))?.join("selvedge/c"))
}

/// Writes a file whole or not at all, and the directories above it.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let failure = |error| Error::io("write", path, &error);
    let partial = PathBuf::from(format!("{}.partial", path.display()));
    fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failure)?;
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, path));
    written.map_err(|error| {
        // What is half-written is of no use to anybody.
        let _ = fs::remove_file(&partial);
        failure(error)
    })
}

fn make_executable(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
        .map_err(|error| Error::io("make executable", path, &error))
}

/// FNV-1a: the same in every version of Rust, unlike the library's own.
pub fn hash(words: &[&str]) -> u64 {
    let bytes = words.iter().flat_map(|word| word.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_for_whom() {
        let lock = std::env::temp_dir().join(format!("selvedge-c-lock-{}", std::process::id()));
        let said = |text: &str| {
            fs::write(&lock, text).expect("written");
            holder(&lock)
        };
        assert!(said(&std::process::id().to_string()).contains("as process"));
        // No process has this number.
        assert!(said("4194305").contains("which has ended"));
        assert!(said("").starts_with("another `selvedge c`"));
        fs::remove_file(&lock).expect("removed");
    }

    #[test]
    fn words_are_told_apart() {
        assert_ne!(hash(&["ab", "c"]), hash(&["a", "bc"]));
        assert_eq!(hash(&["a"]), hash(&["a"]));
    }
}
