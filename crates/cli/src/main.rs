//! `meanflow` with the built-in kinds.

use std::process::ExitCode;

fn main() -> ExitCode {
    meanflow::main::<meanflow::BuiltIn>()
}
