//! In the default mode a tangent never lands on the tape.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use burn::backend::Flex;
use burn::backend::autodiff::NodeId;
use burn::nn::transformer::{TransformerEncoderConfig, TransformerEncoderInput};
use burn::tensor::Tensor;
use meanflow_jvp::Dual;

use crate::common::{B, device, input};

/// Nodes are numbered by a counter of the process, so the count needs a process of its own.
#[test]
fn tangents_make_no_nodes() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tape::count_nodes", "--ignored", "--test-threads=1"])
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && report.contains("1 passed"), "{report}");
}

#[test]
#[ignore = "started by tangents_make_no_nodes, alone in its process"]
fn count_nodes() {
    let encoder = TransformerEncoderConfig::new(8, 12, 2, 2).with_dropout(0.0).init::<B>(&device());
    let nodes = |x: Tensor<B, 3>| {
        let before = NodeId::new().value;
        let y = encoder.forward(TransformerEncoderInput::new(x));
        let after = NodeId::new().value;
        (after - before, y.tangent().is_some())
    };
    let x = || input::<B, 3>([2, 3, 8], 1);
    nodes(x()); // Initialises the parameters.
    let (plain, has_tangent) = nodes(x());
    assert!(plain > 50 && !has_tangent);
    let tangent: Tensor<Flex, 3> = input([2, 3, 8], 2);
    let (dual, has_tangent) = nodes(x().with_tangent(tangent));
    assert!(has_tangent);
    assert_eq!(plain, dual);
}

/// At the end of every `backward` Burn frees the tapes that hold no live tensor, those of other threads too. While tensors are
/// being joined theirs holds none but them.
#[test]
fn a_tape_outlasts_backward_on_another_thread() {
    let leaf = |size| input::<B, 1>([size], 1).require_grad();
    let done = AtomicBool::new(false);
    let lost = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                leaf(1).sum().backward();
            }
        });
        let weight = leaf(30_000);
        let gradient = || {
            let joined = Tensor::cat(vec![weight.clone() * 2.0, weight.clone() * 3.0], 0);
            weight.grad(&joined.sum().backward())
        };
        // The first `backward` takes the leaf off the tape, where it would be a live tensor.
        let lost = (0..300).filter(|_| gradient().is_none()).count();
        done.store(true, Ordering::Relaxed);
        lost
    });
    assert_eq!(lost, 0);
}
