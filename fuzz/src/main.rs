//! Many inputs for every reader, as a table.

use std::{env, fs, path::Path, process::ExitCode};

use meanflow_fuzz::{Counting, TARGETS, Target, input, run};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const USAGE: &str = "usage: meanflow-fuzz COUNT [TARGET [SEED]] | keep TARGET SEED NUMBER FOLDER";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["keep", target, seed, number, folder] => keep(target, seed, number, Path::new(folder)),
        [count] => table(count, None, "0"),
        [count, target] => table(count, Some(target), "0"),
        [count, target, seed] => table(count, Some(target), seed),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn table(count: &str, only: Option<&str>, seed: &str) -> Result<(), String> {
    let (count, seed) = (number(count)?, number(seed)?);
    println!("target          inputs  accepted  refused  slowest ms  peak MB");
    let mut faults = 0;
    for target in targets(only)? {
        let inputs = if target.cost >= 100 { count / target.cost } else { count };
        match run(target, seed, 0..inputs) {
            Ok(tally) => println!(
                "{:<14}  {inputs:>6}  {:>8}  {:>7}  {:>10.1}  {:>7.1}",
                target.name,
                tally.accepted,
                tally.refused,
                1e3 * tally.slowest.as_secs_f64(),
                tally.peak as f64 / 1e6
            ),
            Err(fault) => {
                faults += 1;
                println!("{:<14}  {fault}", target.name);
            }
        }
    }
    if faults == 0 { Ok(()) } else { Err(format!("{faults} readers have faults")) }
}

fn keep(target: &str, seed: &str, at: &str, folder: &Path) -> Result<(), String> {
    let target = targets(Some(target))?.remove(0);
    let (name, bytes) = input(target, number(seed)?, number(at)?);
    let path = folder.join(name);
    let write = || {
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(&path, bytes)
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

fn targets(only: Option<&str>) -> Result<Vec<&'static Target>, String> {
    let found: Vec<&Target> =
        TARGETS.iter().filter(|target| only.is_none_or(|name| target.name == name)).collect();
    let names = || TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    if found.is_empty() { Err(format!("there are the targets {}", names())) } else { Ok(found) }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number; {USAGE}"))
}
