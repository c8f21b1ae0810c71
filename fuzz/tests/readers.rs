//! Every reader against damaged files, and the checks against readers that are bad.

use std::{path::Path, process::Command};

use meanflow_fuzz::{Counting, TARGETS, Target, run};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Inputs for each reader.
const INPUTS: u64 = 300;

#[test]
fn readers_refuse_or_accept_damaged_files() {
    for target in &TARGETS {
        match run(target, 1, 0..(INPUTS / target.cost).max(2)) {
            Ok(tally) => assert!(tally.peak > 0, "{}: memory is counted", target.name),
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn bad(read: fn(&Path) -> Result<(), String>) -> String {
    let target = Target { name: "bad", seeds: &["README.md"], together: false, cost: 1, read };
    run(&target, 0, 0..20).expect_err("a bad reader").to_string()
}

fn is_seed(path: &Path) -> bool {
    std::fs::read(path).is_ok_and(|bytes| bytes == include_bytes!("../../README.md"))
}

#[test]
fn a_panic_a_nameless_message_and_a_refused_seed_are_faults() {
    let fault = bad(|path| if is_seed(path) { Ok(()) } else { panic!("an index") });
    assert!(fault.starts_with("bad 0 ") && fault.ends_with("(README.md): it panics: an index"), "{fault}");
    let fault = bad(|path| if is_seed(path) { Ok(()) } else { Err("broken".to_owned()) });
    assert!(fault.contains("its message does not name ") && fault.ends_with("README.md: broken"), "{fault}");
    let fault = bad(|path| Err(format!("{}: no", path.display())));
    assert!(fault.starts_with("bad, README.md as it is: "), "{fault}");
}

/// Takes two gibibytes; run by the test below in a process of its own.
#[test]
#[ignore = "ends its process"]
fn too_much_memory() {
    let _ = bad(|path| if is_seed(path) { Ok(()) } else { Err(format!("{}", vec![1u8; 2 << 30].len())) });
}

#[test]
fn an_input_that_takes_too_much_memory_ends_the_process_and_is_named() {
    let exe = std::env::current_exe().expect("this test");
    let output = Command::new(exe).args(["--ignored", "--exact", "too_much_memory", "--nocapture"]).output();
    let output = output.expect("this test once more");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("(README.md): 2147483648 bytes of memory at once"),
        "{said}"
    );
}
