//! Damage to files, the same for the same seed.

use chacha20::ChaCha8Rng;
use meanflow_random::{below, keyed};

/// Bytes that a mutation may add.
const ADDED: usize = 64;

/// Numbers that readers get wrong: ends of types, and sizes whose product overflows.
const EVIL: [u64; 16] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x4000_0000_0000_0001,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

/// Texts that mean something where files are text.
const TEXTS: [&str; 16] = [
    "nan",
    "-inf",
    "1e308",
    "5e-324",
    "-1",
    "0",
    "18446744073709551615",
    "9999999999999999999999",
    "null",
    "[]",
    "{}",
    "\"\"",
    "[[[[[[[[",
    "é",
    "../../x",
    "\u{202e}",
];

/// Input `number` of a stream: one of `seeds` with one to four mutations. Gives the place of the seed, too.
///
/// # Panics
/// If there are no seeds.
pub fn mutated(seeds: &[&[u8]], target: &str, seed: u64, number: u64) -> (usize, Vec<u8>) {
    let mut draws = Draws(keyed(seed, target, number));
    let place = draws.below(seeds.len());
    let mut bytes = seeds[place].to_vec();
    for _ in 0..=draws.below(4) {
        once(&mut bytes, seeds, &mut draws);
    }
    (place, bytes)
}

fn once(bytes: &mut Vec<u8>, seeds: &[&[u8]], rng: &mut Draws) {
    let length = bytes.len();
    // Headers are at the beginning, and directories at the end.
    let at = match rng.below(4) {
        0 => rng.below(length.min(64) + 1),
        1 => length - rng.below(length.min(64) + 1),
        _ => rng.below(length + 1),
    };
    let rest = length - at;
    match rng.below(10) {
        0 if rest > 0 => bytes[at] ^= 1 << rng.below(8),
        1 if rest > 0 => bytes[at] = rng.below(256) as u8,
        2 => bytes.truncate(at),
        3 => {
            let added: Vec<u8> = (0..=rng.below(ADDED)).map(|_| rng.below(256) as u8).collect();
            bytes.splice(at..at, added);
        }
        4 => drop(bytes.drain(at..at + rng.below(rest.min(ADDED) + 1))),
        // The rest of another file, from about the same place or from anywhere.
        5 => {
            let other = seeds[rng.below(seeds.len())];
            let from = if rng.below(2) == 0 { at.min(other.len()) } else { rng.below(other.len() + 1) };
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        // A part of itself once more.
        6 => {
            let from = rng.below(length + 1);
            let part = bytes[from..(from + rng.below(ADDED) + 1).min(length)].to_vec();
            bytes.splice(at..at, part);
        }
        7 => {
            let text = TEXTS[rng.below(TEXTS.len())];
            let end = at + rng.below(rest.min(text.len()) + 1);
            bytes.splice(at..end, text.bytes());
        }
        _ => {
            let width = [1, 2, 4, 8][rng.below(4)];
            let number = EVIL[rng.below(EVIL.len())].to_le_bytes();
            let mut number = number[..width].to_vec();
            if rng.below(2) == 0 {
                number.reverse();
            }
            let end = (at + width).min(length);
            bytes.splice(at..end, number);
        }
    }
}

struct Draws(ChaCha8Rng);

impl Draws {
    fn below(&mut self, bound: usize) -> usize {
        below(&mut self.0, bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_a_function_of_target_seed_and_number() {
        let seeds: [&[u8]; 2] = [b"a file of some bytes", b"another one"];
        let all =
            |target, seed| (0..200).map(|number| mutated(&seeds, target, seed, number)).collect::<Vec<_>>();
        assert_eq!(all("x", 0), all("x", 0));
        assert!(all("x", 0) != all("y", 0) && all("x", 0) != all("x", 1));
        let changed = all("x", 0).into_iter().filter(|(place, bytes)| bytes != seeds[*place]).count();
        assert!(changed > 180, "{changed} of 200 differ from their seeds");
    }

    #[test]
    fn nothing_is_no_panic() {
        for number in 0..1000 {
            mutated(&[b""], "empty", 0, number);
        }
    }
}
