//! Many inputs.

use std::{fmt, ops::Range, sync::Mutex, sync::PoisonError, time::Duration};

use crate::{Target, corpus, corpus::Seed, mutated, read::Place};

/// What a reader made of all inputs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Inputs that were read without an error.
    pub accepted: u64,
    /// Inputs that were refused with a message that names the file.
    pub refused: u64,
    /// The longest time that one took.
    pub slowest: Duration,
    /// The most memory that one took, in bytes.
    pub peak: usize,
}

/// What is wrong with a reader, and at which input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Target, seed, number and file, as [`input`] takes them.
    pub input: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.input, self.why)
    }
}

/// Memory and time are of a process: one target at a time.
static TURN: Mutex<()> = Mutex::new(());

/// Has a target read its seeds, and then inputs of these numbers under `seed`.
///
/// # Errors
/// The first input at which something is wrong with the reader, and a seed that it refuses.
pub fn run(target: &Target, seed: u64, numbers: Range<u64>) -> Result<Tally, Fault> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let seeds = corpus::seeds(target);
    let place = Place::new(target, &seeds);
    for file in &seeds {
        let input = format!("{}, {} as it is", target.name, file.name);
        let outcome = place.read(target, file, &file.bytes, input.clone());
        match outcome.map(|outcome| outcome.refused) {
            Ok(None) => {}
            Ok(Some(why)) | Err(why) => return Err(Fault { input, why }),
        }
    }
    let mut tally = Tally::default();
    for number in numbers {
        let (file, bytes) = change(target, &seeds, seed, number);
        let input = format!("{} {seed} {number} ({})", target.name, file.name);
        let outcome = place.read(target, file, &bytes, input.clone()).map_err(|why| Fault { input, why })?;
        *(if outcome.refused.is_some() { &mut tally.refused } else { &mut tally.accepted }) += 1;
        tally.slowest = tally.slowest.max(outcome.time);
        tally.peak = tally.peak.max(outcome.memory);
    }
    Ok(tally)
}

/// The file of an input and its bytes.
pub fn input(target: &Target, seed: u64, number: u64) -> (String, Vec<u8>) {
    let seeds = corpus::seeds(target);
    let (file, bytes) = change(target, &seeds, seed, number);
    (file.name.clone(), bytes)
}

fn change<'a>(target: &Target, seeds: &'a [Seed], seed: u64, number: u64) -> (&'a Seed, Vec<u8>) {
    let contents: Vec<&[u8]> = seeds.iter().map(|seed| &seed.bytes[..]).collect();
    let (place, bytes) = mutated(&contents, target.name, seed, number);
    (&seeds[place], bytes)
}
