//! The tree's own kbuild, out of place: configured once, then the files under test.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::cache::{CONFIG, Cache};
use super::tree::Tree;
use crate::error::{Error, Result};

/// The files under test, and the kernel's own helpers that they call: whole, unmodified translation
/// units. What a release does not have is left out.
const FILES: [&str; 21] = [
    "fs/buffer.c",
    "mm/swap.c",
    "mm/filemap.c",
    "mm/mlock.c",
    "mm/migrate.c",
    "mm/compaction.c",
    "mm/gup.c",
    "mm/vmscan.c",
    "mm/page-writeback.c",
    "mm/memory.c",
    "mm/rmap.c",
    "mm/page_vma_mapped.c",
    "mm/pgtable-generic.c",
    "mm/interval_tree.c",
    "mm/util.c",
    "mm/folio-compat.c",
    "lib/xarray.c",
    "lib/find_bit.c",
    "lib/list_debug.c",
    "kernel/sched/build_utility.c",
    "kernel/sched/wait.c",
];

/// A tree that is configured, and its files compiled.
#[derive(Debug)]
pub struct Build<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// kbuild's own directory (`O=`).
    pub dir: PathBuf,
    /// Our side of the image.
    pub gate: PathBuf,
    /// The compiler.
    pub cc: String,
    /// The files under test that this release has.
    pub files: Vec<&'static str>,
}

/// The programs that a kernel build needs, and their packages in Debian.
const TOOLS: [(&str, &str); 5] =
    [("make", "make"), ("ld", "binutils"), ("flex", "flex"), ("bison", "bison"), ("bc", "bc")];

/// What keeps functions apart, and the stack aligned: the compilers have flags of their own.
const FLAGS_OF_GCC: &str = "-fno-inline-functions-called-once -fno-inline-small-functions \
                            -fno-partial-inlining -fno-ipa-cp -fno-ipa-sra -fno-ipa-icf \
                            -fno-crossjumping -fno-tree-tail-merge -mpreferred-stack-boundary=4";
const FLAGS_OF_CLANG: &str =
    "-finline-hint-functions -mstack-alignment=16 -Qunused-arguments -Wno-unknown-warning-option";

/// The flags for a compiler that says this about itself.
fn flags_of(version: &str) -> &'static str {
    if version.contains("clang") { FLAGS_OF_CLANG } else { FLAGS_OF_GCC }
}

/// Are the compiler and the rest there? Answers with the first line of the compiler's version.
pub fn tools(cc: &str) -> Result<String> {
    let version = |tool: &str| Command::new(tool).arg("--version").output().ok();
    let mut missing: Vec<(&str, &str)> =
        TOOLS.into_iter().filter(|(tool, _)| version(tool).is_none()).collect();
    let compiler = version(cc);
    if compiler.is_none() {
        missing.insert(0, (cc, cc));
    }
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|(tool, _)| *tool).collect();
        let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
        return Err(Error::new(format!(
            "no {} here, which it takes to compile a kernel's files: apt-get install {} (or your \
             distribution's packages of these)",
            names.join(", no "),
            packages.join(" ")
        )));
    }
    let text = compiler.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    Ok(text.unwrap_or_default().lines().next().unwrap_or_default().to_string())
}

impl<'a> Build<'a> {
    /// Configures the tree, if that has not been done, and compiles what has changed.
    pub fn make(
        tree: &'a Tree,
        cache: &Cache,
        (cc, also): (&str, &[String]),
        say: &dyn Fn(&str),
    ) -> Result<Build<'a>> {
        let mut files = FILES.into_iter().filter(|file| tree.has(file)).collect::<Vec<_>>();
        for file in also {
            if !file.ends_with(".c") || !tree.has(file) {
                let text = format!("{} has no {file}, as --also wants", tree.dir.display());
                return Err(Error::new(text));
            }
            if !files.contains(&file.as_str()) {
                files.push(file.clone().leak());
            }
        }
        // Since 5.17 the wait queues are compiled as a part of another file.
        let is_wait_alone = !files.contains(&"kernel/sched/build_utility.c");
        let files =
            files.into_iter().filter(|file| is_wait_alone || *file != "kernel/sched/wait.c");
        let gate = cache.gate(cc, flags_of(&tools(cc)?))?;
        let (dir, files) = (cache.dir.join("build"), files.collect());
        let build = Build { tree, dir, gate, cc: cc.into(), files };
        build.configure(say)?;
        build.compile()?;
        Ok(build)
    }

    fn configure(&self, say: &dyn Fn(&str)) -> Result<()> {
        let done = self.dir.join("selvedge.configured");
        if done.is_file() {
            return Ok(());
        }
        say(&format!(
            "configuring {} in {}, once for this tree (about a minute)",
            self.tree.version,
            self.dir.display()
        ));
        let _ = fs::remove_dir_all(&self.dir);
        fs::create_dir_all(&self.dir).map_err(|error| Error::io("make", &self.dir, &error))?;
        self.kbuild(&["tinyconfig"])?;
        let config = self.dir.join(".config");
        let tiny = fs::read_to_string(&config).map_err(|e| Error::io("read", &config, &e))?;
        // What comes later counts.
        super::cache::write(&config, &(tiny + CONFIG))?;
        self.kbuild(&["olddefconfig"])?;
        self.has_its_options(&config)?;
        // Nothing is linked to a kernel, so that nobody looks its code over.
        self.kbuild(&["prepare", "objtool=true", "CONFIG_OBJTOOL="])?;
        super::cache::write(&done, "")
    }

    /// An option that this compiler or release does not have is silently dropped by kconfig.
    fn has_its_options(&self, config: &Path) -> Result<()> {
        const NEEDED: [&str; 5] = [
            "CONFIG_SMP",
            "CONFIG_PREEMPT",
            "CONFIG_DEBUG_PREEMPT",
            "CONFIG_KCSAN",
            "CONFIG_BLOCK",
        ];
        let text = fs::read_to_string(config).map_err(|e| Error::io("read", config, &e))?;
        let is_set = |option: &&str| text.lines().any(|line| line == format!("{option}=y"));
        match NEEDED.iter().find(|option| !is_set(option)) {
            None => Ok(()),
            Some(option) => Err(Error::new(format!(
                "{} cannot be configured with {option} here: KCSAN, by which C is instrumented, \
                 wants gcc 11 at least, and Linux 5.17 is the first with all of its barriers",
                self.tree.version
            ))),
        }
    }

    /// Compiles what is not up to date.
    fn compile(&self) -> Result<()> {
        let objects: Vec<String> = self.files.iter().map(|file| object_of(file)).collect();
        let mut words: Vec<&str> = vec!["objtool=true", "CONFIG_OBJTOOL=", "KCSAN_SANITIZE=y"];
        let cc = format!("CC={}", self.gate.join("cc").display());
        words.push(&cc);
        words.extend(objects.iter().map(String::as_str));
        self.kbuild(&words)
    }

    fn kbuild(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new("make");
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        command.arg("-s").arg(format!("-j{jobs}")).arg("-C").arg(&self.tree.dir);
        command.arg(format!("O={}", self.dir.display())).arg("ARCH=x86_64");
        if !words.iter().any(|word| word.starts_with("CC=")) {
            command.arg(format!("CC={}", self.cc));
        }
        command.args(words).env("SELVEDGE_SRC", &self.tree.dir).env("LC_ALL", "C");
        command.env_remove("SELVEDGE_OVERLAY").env_remove("MAKEFLAGS").env_remove("KBUILD_OUTPUT");
        let output = run(&mut command)?;
        if output.status.success() {
            return Ok(());
        }
        // kconfig does not say why it cannot write.
        if free(&self.dir) < FREE_MIN {
            return Err(no_space("the disk is full"));
        }
        let what = words.first().copied().unwrap_or_default();
        let what = if what.contains('=') { "its files" } else { what };
        Err(Error::new(format!(
            "{} does not compile ({what}):\n{}",
            self.tree.version,
            complaint(&output)
        )))
    }

    /// Compiles one file with the command line that kbuild used for another, or for the same.
    ///
    /// # Errors
    /// If it does not compile: the compiler's own lines.
    pub fn recompile(&self, like: &str, file: &Path, to: &Path, overlay: &Path) -> Result<()> {
        self.run_compiler((like, &[]), (file, to), overlay)
    }

    /// What is left of a file of the tree when macros are expanded and what is configured out is
    /// gone, without any mark of lines, nor of where the file lies.
    ///
    /// # Errors
    /// If the preprocessor fails: its own lines.
    pub fn preprocess(&self, file: &str, to: &Path, overlay: &Path) -> Result<Vec<u8>> {
        const ARGS: &[&str] =
            &["-E", "-P", "-D__LINE__=0", "-D__FILE__=\"\"", "-Wno-builtin-macro-redefined"];
        self.run_compiler((file, ARGS), (&self.tree.dir.join(file), to), overlay)?;
        fs::read(to).map_err(|error| Error::io("read", to, &error))
    }

    fn run_compiler(
        &self,
        (like, more): (&str, &[&str]),
        (file, to): (&Path, &Path),
        overlay: &Path,
    ) -> Result<()> {
        let args = self.dir.join(format!("{}.args", object_of(like)));
        let text = fs::read_to_string(&args).map_err(|error| Error::io("read", &args, &error))?;
        let mut words: Vec<&str> = text.lines().collect();
        words.retain(|word| !word.starts_with("-Wp,-MMD"));
        // `-o OBJECT FILE` comes last.
        let kept = words.iter().position(|word| *word == "-o").unwrap_or(words.len());
        let mut command = Command::new(self.gate.join("cc"));
        command.args(&words[..kept]).args(more);
        // The world around is set up before the tasks begin: none of that is a step.
        if file.ends_with("world.c") {
            command.arg("-fno-sanitize=thread");
        }
        // Whoever is killed leaves no half of an object under its name.
        let partial = PathBuf::from(format!("{}.partial", to.display()));
        command.arg("-o").arg(&partial).arg(file).current_dir(&self.dir);
        command.env("SELVEDGE_SRC", &self.tree.dir).env("SELVEDGE_OVERLAY", overlay);
        command.env("LC_ALL", "C");
        if let Some(dir) = to.parent() {
            fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, &error))?;
        }
        let output = run(&mut command)?;
        if output.status.success() {
            return fs::rename(&partial, to).map_err(|error| Error::io("write", to, &error));
        }
        // As the user knows the files.
        let said = complaint(&output).replace(&format!("{}/", overlay.display()), "");
        Err(Error::new(said.replace(&format!("{}/", self.tree.dir.display()), "")))
    }
}

/// `mm/swap.o`
pub fn object_of(file: &str) -> String {
    format!("{}.o", file.strip_suffix(".c").unwrap_or(file))
}

/// Runs it; that it cannot even be started is an error, and so is a full disk, which compilers and
/// make say in many words. It ends if we are killed.
pub fn run(command: &mut Command) -> Result<Output> {
    end_with_us(command);
    let output = command.output().map_err(|error| {
        let program = command.get_program().to_string_lossy().into_owned();
        Error::new(format!("cannot run {program}: {error}"))
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    let full = ["No space left on device", "Disk quota exceeded"];
    match full.into_iter().find(|why| said.contains(why)) {
        Some(why) if !output.status.success() => Err(no_space(why)),
        _ => Ok(output),
    }
}

fn no_space(why: &str) -> Error {
    Error::new(format!(
        "{why}: what is compiled takes some 60 MB in the cache ($XDG_CACHE_HOME/selvedge/c) and a \
         few in {}; free some, or set XDG_CACHE_HOME or TMPDIR",
        std::env::temp_dir().display()
    ))
}

/// Less than this, and it is not the tree's fault that something fails.
const FREE_MIN: u64 = 1 << 20;

/// How many bytes may still be written there? Not known: as many as there are.
#[expect(unsafe_code, reason = "statvfs(3), of a path that ends with a zero")]
fn free(dir: &Path) -> u64 {
    let Ok(path) = std::ffi::CString::new(dir.as_os_str().as_bytes()) else { return u64::MAX };
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: both are valid as long as the call takes.
    match unsafe { libc::statvfs(path.as_ptr(), &raw mut found) } {
        0 => found.f_bavail * found.f_frsize,
        _ => u64::MAX,
    }
}

/// A make whose parent is killed would go on, and keep the cache from who comes next. It ends what
/// it has started when it is ended itself.
#[expect(unsafe_code, reason = "prctl(2), in the child before it becomes another program")]
fn end_with_us(command: &mut Command) {
    let parent = std::process::id();
    let ask = move || {
        // SAFETY: both calls may be made between fork and exec, and touch no memory of ours.
        let is_orphan = unsafe {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
            libc::getppid() as u32 != parent
        };
        // It has been killed just now.
        if is_orphan { Err(std::io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    };
    // SAFETY: it allocates nothing, and takes no lock.
    unsafe { command.pre_exec(ask) };
}

/// What a compiler said, without what make has to say about that.
fn complaint(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_of_compiler = |line: &&str| !line.starts_with("make");
    let lines: Vec<&str> = said.lines().filter(is_of_compiler).take(30).collect();
    let hint = match () {
        () if said.contains("gelf.h") || said.contains("libelf") => {
            "\n(apt-get install libelf-dev)"
        }
        () if said.contains("openssl/") => "\n(apt-get install libssl-dev)",
        () => "",
    };
    if lines.is_empty() { said.trim().to_string() } else { lines.join("\n") + hint }
}
