//! One command a file.

mod bench;
mod config;
mod data;
mod doctor;
mod eval;
mod export;
mod import;
mod kinds;
mod page;
mod parity;
mod progress;
mod report;
mod run;
mod sample;
mod train_classifier;

use crate::{
    Done,
    args::{Args, Command},
};
use clap::CommandFactory;
use meanflow_train::Kinds;

/// Does what the command line says.
pub fn run<K: Kinds>(args: Args) -> anyhow::Result<Done> {
    match args.command {
        Command::Run(args) => run::run::<K>(args),
        Command::Report(args) => report::run(args),
        Command::Runs(args) => report::runs(args),
        Command::Diff(args) => report::diff(args),
        Command::Sample(args) => sample::run::<K>(args),
        Command::Eval(args) => eval::run::<K>(args),
        Command::TrainClassifier(args) => train_classifier::run::<K>(args),
        Command::Export(args) => export::run::<K>(args),
        Command::Page(args) => page::run::<K>(args),
        Command::Import(args) => import::run::<K>(args),
        Command::Config { command } => config::run::<K>(command),
        Command::Data { command } => data::run::<K>(command),
        Command::Parity(args) => parity::run::<K>(args),
        Command::Bench(args) => bench::run::<K>(args),
        Command::Digest { run } => {
            tell!("{}", meanflow_train::digest::digest(&run)?);
            Ok(Done::Yes)
        }
        Command::Kinds(args) => kinds::run::<K>(args),
        Command::Doctor(args) => doctor::run::<K>(args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "meanflow", &mut script);
            tell_as_is!("{}", String::from_utf8_lossy(&script));
            Ok(Done::Yes)
        }
    }
}
