//! One input.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use tempfile::TempDir;

use crate::{TARGETS, Target, allocator, corpus, corpus::Seed, watch};

/// What a reader made of an input.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it said, if it refused it.
    pub refused: Option<String>,
    /// How long it took.
    pub time: Duration,
    /// The most memory that it took, in bytes; 0 without [`Counting`](crate::Counting).
    pub memory: usize,
}

/// A folder in which the files of a target are laid out.
pub(crate) struct Place {
    folder: TempDir,
    together: bool,
}

impl Place {
    pub fn new(target: &Target, seeds: &[Seed]) -> Self {
        let place = Self { folder: TempDir::new().expect("a temporary folder"), together: target.together };
        if place.together {
            seeds.iter().for_each(|seed| place.put(seed, &seed.bytes));
        }
        place
    }

    fn put(&self, seed: &Seed, bytes: &[u8]) {
        let path = self.folder.path().join("input").join(&seed.name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a temporary folder");
        fs::write(path, bytes).expect("a temporary folder");
    }

    /// Has `target` read `bytes` in the place of `seed`, with all others as they are.
    ///
    /// # Errors
    /// What is wrong with the reader.
    pub fn read(&self, target: &Target, seed: &Seed, bytes: &[u8], what: String) -> Result<Outcome, String> {
        self.put(seed, bytes);
        let input = self.folder.path().join("input");
        let path = if self.together { input.clone() } else { input.join(&seed.name) };
        let outcome = read(target, &path, what);
        match self.together {
            true => self.put(seed, &seed.bytes),
            false => fs::remove_dir_all(&input).expect("a temporary folder"),
        }
        outcome
    }
}

fn read(target: &Target, path: &Path, what: String) -> Result<Outcome, String> {
    watch::begin(what);
    allocator::begin();
    let result = catch_unwind(AssertUnwindSafe(|| (target.read)(path)));
    let (memory, time) = (allocator::end(), watch::end());
    let result = result.map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        format!("it panics: {}", said.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a text"))
    })?;
    let refused = result.err();
    if let Some(said) = &refused
        && !said.contains(&path.display().to_string())
    {
        return Err(format!("its message does not name {}: {said}", path.display()));
    }
    if time > watch::MOST {
        return Err(format!("it takes {time:?}"));
    }
    Ok(Outcome { refused, time, memory })
}

/// Has the target of a name read `bytes` as the seed of a name: what a fuzzer calls, such as libFuzzer with
/// `fuzz_target!(|bytes: &[u8]| meanflow_fuzz::check("npy", "f4.npy", bytes))`.
///
/// # Panics
/// If something is wrong with the reader, or there is no such target or seed.
pub fn check(target: &str, seed: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|known| known.name == target).expect("a target");
    let seeds = corpus::seeds(target);
    let place = Place::new(target, &seeds);
    let seed = seeds.iter().find(|known| known.name == seed).expect("a seed");
    if let Err(why) = place.read(target, seed, bytes, format!("{}, {}", target.name, seed.name)) {
        panic!("{}, {}: {why}", target.name, seed.name);
    }
}
