//! The report of run folders: `cargo run -p meanflow-report --example page -- OUT RUN…`.

use std::{env, path::PathBuf, process::ExitCode};

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let (Some(out), runs) = (arguments.next(), arguments.collect::<Vec<_>>()) else {
        eprintln!("usage: page OUT RUN…, with folders like runs/quickstart/meanflow");
        return ExitCode::from(2);
    };
    match meanflow_report::write(&runs, &out) {
        Ok(summary) => {
            println!("{}", summary.index.display());
            summary.notes.iter().for_each(|note| eprintln!("{note}"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
