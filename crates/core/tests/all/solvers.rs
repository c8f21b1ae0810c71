//! Solvers on fields whose single step is known exactly, their bookkeeping and their use of the network.

use std::cell::RefCell;

use burn::{backend::Flex, tensor::Tensor};
use meanflow_core::{Condition, Solver, interpolant::per_row, solver::Grid};

use crate::common::{assert_close, bits, field, ints, tensor, uniform, values};
use crate::network::{CLASSES, Net, SAMPLE, parameters};

fn noise(rows: usize) -> Tensor<Flex, 4> {
    let [c, h, w] = SAMPLE;
    tensor(&uniform(rows * c * h * w, 11), [rows, c, h, w])
}

/// On `dz/dt = z` a step of size `h` multiplies by the first terms of `e^{−h}`.
#[test]
fn stability_polynomials() {
    let growth = field(|z, _, _| z);
    let (h, z) = (0.7f64, noise(3));
    let taylor = |degree: u32| -> f64 {
        (0..=degree).map(|k| (-h).powi(k as i32) / (1..=k).product::<u32>() as f64).sum()
    };
    for (solver, degree) in [
        (Solver::MeanFlow, 1),
        (Solver::Euler, 1),
        (Solver::Heun, 2),
        (Solver::Midpoint, 2),
        (Solver::Rk4, 4),
    ] {
        let grid = Grid::new(vec![0.9, 0.9 - h]).expect("a grid");
        let end = values(solver.sample(&growth, z.clone(), &grid, &Condition::none()));
        let expected = values(z.clone() * taylor(degree));
        assert_close(solver.name(), &end, &expected, 1e-14);
    }
}

/// On `dz/dt = t²` a step is a quadrature rule: which times a solver asks for.
#[test]
fn quadrature_rules() {
    let parabola = field(|z, _, t| z.zeros_like() + per_row(t.powi_scalar(2)));
    let (t, r) = (0.8f64, 0.2f64);
    let rules = [
        (Solver::Euler, (t - r) * t.powi(2)),
        (Solver::Heun, (t - r) * (t.powi(2) + r.powi(2)) / 2.0),
        (Solver::Midpoint, (t - r) * ((t + r) / 2.0).powi(2)),
        (Solver::Rk4, (t.powi(3) - r.powi(3)) / 3.0),
    ];
    for (solver, area) in rules {
        let grid = Grid::new(vec![t, r]).expect("a grid");
        let end = values(solver.sample(&parabola, noise(1), &grid, &Condition::none()));
        assert_close(solver.name(), &end, &values(noise(1) - area), 1e-14);
    }
}

#[test]
fn evaluations_and_times_asked_for() {
    let grid = Grid::new(vec![1.0, 0.5, 0.0]).expect("a grid");
    for solver in Solver::ALL {
        let asked = RefCell::new(Vec::new());
        let recorder = field(|z, r, t| {
            asked.borrow_mut().push((values(t), values(r)));
            z
        });
        solver.sample(&recorder, noise(2), &grid, &Condition::none());
        let asked = asked.take();
        assert_eq!(asked.len(), 2 * solver.evaluations_per_step(), "{}", solver.name());
        for (t, r) in asked {
            assert_eq!((t.len(), r.len()), (2, 2), "one time for each row");
            // The average velocity over the whole step, or the instantaneous one.
            let expected = if solver == Solver::MeanFlow { t[0] - 0.5 } else { t[0] };
            assert_eq!((r[0], r[1], t[1]), (expected, expected, t[0]), "{}", solver.name());
        }
    }
}

#[test]
fn a_trajectory_holds_every_state() {
    let net = Net::<Flex>::new(&parameters(1));
    let condition = Condition::labels(ints(&[0, 1, 2]));
    let grid = Grid::new(vec![1.0, 0.6, 0.1, 0.0]).expect("a grid");
    for solver in Solver::ALL {
        let states = solver.trajectory(&net, noise(3), &grid, &condition);
        assert_eq!(states.len(), 4);
        assert_eq!(bits(&values(states[0].clone())), bits(&values(noise(3))));
        let mut z = noise(3);
        for (pair, state) in grid.times().windows(2).zip(&states[1..]) {
            z = solver.sample(&net, z, &Grid::new(pair.to_vec()).expect("a grid"), &condition);
            assert_eq!(bits(&values(z.clone())), bits(&values(state.clone())), "{}", solver.name());
        }
        let end = values(solver.sample(&net, noise(3), &grid, &condition));
        assert_eq!(bits(&end), bits(&values(z)));
    }
}

/// Each row follows the flow of its own label: a mixed batch is its rows one by one.
#[test]
fn the_condition_reaches_every_evaluation() {
    let net = Net::<Flex>::new(&parameters(2));
    let labels = [2, 0, CLASSES as i64];
    for solver in Solver::ALL {
        let grid = Grid::uniform(3);
        let all = values(solver.sample(&net, noise(3), &grid, &Condition::labels(ints(&labels))));
        for (row, &label) in labels.iter().enumerate() {
            let z = noise(3).narrow(0, row, 1);
            let alone = values(solver.sample(&net, z, &grid, &Condition::labels(ints(&[label]))));
            assert_close(solver.name(), &all[row * 4..][..4], &alone, 1e-13);
        }
    }
}

#[test]
fn rows_of_a_condition() {
    let condition = Condition::<Flex>::labels(ints(&[4, 5, 6, 7]));
    let rows: Vec<i64> = condition.rows(1, 2).labels.expect("labels").into_data().iter::<i64>().collect();
    assert_eq!(rows, [5, 6]);
    assert!(Condition::<Flex>::none().rows(1, 2).labels.is_none());
}

#[test]
fn names() {
    let names: Vec<&str> = Solver::ALL.iter().map(|solver| solver.name()).collect();
    assert_eq!(names, ["meanflow", "euler", "heun", "midpoint", "rk4"]);
}
