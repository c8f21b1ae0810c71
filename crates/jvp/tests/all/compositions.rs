//! Random compositions of operations: what each rule hands to the next, broadcast or strided, fits.

use burn::tensor::{Tensor, activation, s};
use meanflow_jvp::check::{check_jvp, check_vjp};
use proptest::prelude::*;

use crate::common::{B, input};

type T2 = Tensor<B, 2>;

const ROWS: usize = 3;
const COLUMNS: usize = 4;

/// One step: an operation and the earlier results that it takes.
#[derive(Clone, Debug)]
struct Step {
    operation: usize,
    operands: [usize; 2],
}

type Operation = (&'static str, fn(T2, T2) -> T2);

const OPERATIONS: [Operation; 26] = [
    ("add", |x, y| x + y),
    ("sub", |x, y| x - y),
    ("mul", |x, y| x * y),
    ("div", |x, y| x / (y.powi_scalar(2) + 1.0)),
    ("tanh", |x, _| x.tanh()),
    ("sin", |x, _| x.sin()),
    ("cos", |x, _| x.cos()),
    ("exp", |x, _| x.tanh().exp()),
    ("log", |x, _| (x.powi_scalar(2) + 1.0).log()),
    ("sqrt", |x, _| (x.powi_scalar(2) + 1.0).sqrt()),
    ("powf", |x, y| (x.powi_scalar(2) + 0.5).powf(y.tanh())),
    ("atan2", |x, y| x.atan2(y.powi_scalar(2) + 1.0)),
    ("erf", |x, _| x.erf()),
    ("sigmoid", |x, _| activation::sigmoid(x)),
    ("gelu", |x, _| activation::gelu(x)),
    ("silu", |x, _| activation::silu(x)),
    ("softmax", |x, _| activation::softmax(x, 1)),
    ("log_softmax", |x, _| activation::log_softmax(x, 0)),
    ("matmul", |x, y| x.clone().matmul(y.transpose()).matmul(x)),
    ("row means", |x, y| x.mean_dim(1) * y),
    ("column sums", |x, y| y - x.sum_dim(0)),
    ("cumsum", |x, _| x.cumsum(1)),
    // Burn's reverse mode divides by the factors, so none may be zero.
    ("cumprod", |x, _| (x.tanh() + 1.5).cumprod(0)),
    ("flip and transpose", |x, _| x.transpose().flip([0]).reshape([ROWS, COLUMNS])),
    ("cat and slice", |x, y| Tensor::cat(vec![x, y], 1).slice(s![.., 1..8;2])),
    ("slice_assign", |x, y| x.slice_assign(s![0..2, ..], y.slice(s![1..3, ..]))),
];

/// Every result is bounded, so that no composition overflows, and the last is added to the input, so that the
/// derivative is never all round-off.
fn run(steps: &[Step], x: T2, constant: T2) -> T2 {
    let mut results = vec![x.clone(), constant];
    for step in steps {
        let [a, b] = step.operands.map(|i| results[i % results.len()].clone());
        let y = OPERATIONS[step.operation].1(a, b);
        results.push(y.clone() / (y.powi_scalar(2).mean().reshape([1, 1]) + 1.0).sqrt());
    }
    results.pop().expect("a result") + x
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (0..OPERATIONS.len(), [0usize..100, 0..100])
        .prop_map(|(operation, operands)| Step { operation, operands });
    prop::collection::vec(step, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_compositions(steps in steps(), seed in 0u64..1000) {
        let x = input::<B, 2>([ROWS, COLUMNS], seed);
        let constant = input::<B, 2>([ROWS, COLUMNS], seed + 1);
        let f = |x: T2| run(&steps, x, constant.clone());
        let names: Vec<_> = steps.iter().map(|step| OPERATIONS[step.operation].0).collect();
        let error = check_jvp(f, &x, seed);
        prop_assert!(error < 1e-6, "{error:e} against central differences: {names:?}");
        let error = check_vjp(f, &x, seed);
        prop_assert!(error < 1e-9, "{error:e} against reverse mode: {names:?}");
    }
}
