//! Solvers on fields whose single step is known exactly, their bookkeeping and their use of the network.

use std::cell::RefCell;

use burn::{backend::Flex, tensor::Tensor};
use meanflow_core::{
    Condition, Prediction, Solver,
    flow::Edm,
    interpolant::per_row,
    objective::Learns,
    solver::{ClassifierFree, DormandPrince, Field, Grid},
};

use crate::common::{FRESH, assert_close, bits, field, ints, tensor, uniform, values};
use crate::network::{CLASSES, Net, SAMPLE, parameters};

/// All solvers that draw nothing on their way.
fn deterministic() -> impl Iterator<Item = Solver> {
    Solver::ALL.iter().copied().filter(|solver| *solver != Solver::Consistency)
}

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
        let end = values(solver.sample(&Field::new(&growth, Condition::none()), z.clone(), &grid, FRESH));
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
        let end = values(solver.sample(&Field::new(&parabola, Condition::none()), noise(1), &grid, FRESH));
        assert_close(solver.name(), &end, &values(noise(1) - area), 1e-14);
    }
}

#[test]
fn evaluations_and_times_asked_for() {
    let grid = Grid::new(vec![1.0, 0.5, 0.0]).expect("a grid");
    for solver in deterministic() {
        let asked = RefCell::new(Vec::new());
        let recorder = field(|z, r, t| {
            asked.borrow_mut().push((values(t), values(r)));
            z
        });
        solver.sample(&Field::new(&recorder, Condition::none()), noise(2), &grid, FRESH);
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
    for solver in deterministic() {
        let states = solver.trajectory(&Field::new(&net, condition.clone()), noise(3), &grid, FRESH);
        assert_eq!(states.len(), 4);
        assert_eq!(bits(&values(states[0].clone())), bits(&values(noise(3))));
        let mut z = noise(3);
        for (pair, state) in grid.times().windows(2).zip(&states[1..]) {
            z = solver.sample(
                &Field::new(&net, condition.clone()),
                z,
                &Grid::new(pair.to_vec()).expect("a grid"),
                FRESH,
            );
            assert_eq!(bits(&values(z.clone())), bits(&values(state.clone())), "{}", solver.name());
        }
        let end = values(solver.sample(&Field::new(&net, condition.clone()), noise(3), &grid, FRESH));
        assert_eq!(bits(&end), bits(&values(z)));
    }
}

/// Each row follows the flow of its own label: a mixed batch is its rows one by one.
#[test]
fn the_condition_reaches_every_evaluation() {
    let net = Net::<Flex>::new(&parameters(2));
    let labels = [2, 0, CLASSES as i64];
    for solver in deterministic() {
        let grid = Grid::uniform(3);
        let all = values(solver.sample(
            &Field::new(&net, Condition::labels(ints(&labels))),
            noise(3),
            &grid,
            FRESH,
        ));
        for (row, &label) in labels.iter().enumerate() {
            let z = noise(3).narrow(0, row, 1);
            let alone =
                values(solver.sample(&Field::new(&net, Condition::labels(ints(&[label]))), z, &grid, FRESH));
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
    assert_eq!(names, ["meanflow", "euler", "heun", "midpoint", "rk4", "consistency"]);
}

#[test]
fn what_a_solver_can_sample_from() {
    for solver in Solver::ALL {
        let which =
            [Learns::Velocity, Learns::Average, Learns::Consistency].map(|learns| solver.samples(learns));
        let expected = match solver {
            Solver::MeanFlow => [false, true, false],
            Solver::Consistency => [false, true, true],
            _ => [true, true, false],
        };
        assert_eq!(which, expected, "{}", solver.name());
    }
    for learns in [Learns::Velocity, Learns::Average, Learns::Consistency] {
        assert!(learns.solver().samples(learns));
    }
}

/// `z ← x̂ = z − t·u(z, 0, t)`, then `(1−r)·x̂ + r·e`: with `u = z`, `x̂ = (1−t)·z`. The noise is another one in each step and row.
#[test]
fn consistency_sampling_draws_fresh_noise() {
    let growth = field(|z, _, _| z);
    let grid = Grid::new(vec![1.0, 0.75, 0.5, 0.0]).expect("a grid");
    let field = Field::new(&growth, Condition::none());
    let states: Vec<Vec<f64>> =
        Solver::Consistency.trajectory(&field, noise(2), &grid, FRESH).into_iter().map(values).collect();
    let fresh: Vec<f64> = states[1].iter().map(|z| z / 0.75).collect();
    let second: Vec<f64> =
        states[2].iter().zip(&states[1]).map(|(z, before)| (z - 0.5 * 0.25 * before) / 0.5).collect();
    assert_ne!(fresh, second);
    assert_ne!(fresh[..4], fresh[4..]);
    let streams = FRESH.streams;
    let f64s = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
    assert_close("first", &fresh, &f64s(streams.normal("solver-noise", 0, 8)), 1e-12);
    assert_close("second", &second, &f64s(streams.normal("solver-noise", 1 << 40, 8)), 1e-12);
    assert_close("last", &states[3], &states[2].iter().map(|z| 0.5 * z).collect::<Vec<_>>(), 1e-14);
}

/// The guided field is `u_∅ + ω·(u_c − u_∅)` inside the interval and the plain one outside.
#[test]
fn guidance_at_sampling() {
    let net = Net::<Flex>::new(&parameters(5));
    let of = |label: i64| Field::new(&net, Condition::labels(ints(&[label; 3])));
    let [own, null] = [of(1), of(CLASSES as i64)].map(|field| values(field.average(noise(3), 0.25, 0.5)));
    let guided = |omega, interval| {
        let field = of(1).guided(Some(ClassifierFree { omega, interval }));
        values(field.average(noise(3), 0.25, 0.5))
    };
    let expected: Vec<f64> = own.iter().zip(&null).map(|(own, null)| null + 2.5 * (own - null)).collect();
    assert_close("inside", &guided(2.5, [0.5, 1.0]), &expected, 1e-13);
    assert_eq!(guided(2.5, [0.6, 1.0]), own);
    assert_eq!(guided(1.0, [0.0, 1.0]), own);
}

/// A consistency model in EDM's preconditioning that is right about one-point data `μ`: `D = μ` from every noise level, also
/// from the largest, where sampling starts in place of `t = 1`.
#[test]
fn a_preconditioned_model_starts_at_its_largest_noise() {
    let (mu, sigma_data) = (0.3, 0.5);
    let edm = Edm { sigma_data, sigma_min: 0.0 };
    // D = c_skip·x + c_out·F = μ, solved for F; the network sees c_in·x and ln σ/4.
    let net = field(|scaled, _, noise| {
        let sigma = per_row((noise * 4.0).exp());
        let root = (sigma.clone().powi_scalar(2) + sigma_data * sigma_data).sqrt();
        let x = scaled * root.clone();
        let skip = root.clone().powi_scalar(-2) * (sigma_data * sigma_data);
        (-(x * skip) + mu) / (sigma * sigma_data / root)
    });
    let field = Field::new(&net, Condition::none()).predicting(Prediction::Edm(edm));
    for steps in [1, 2] {
        let end = values(Solver::Consistency.sample(&field, noise(2), &Grid::uniform(steps), FRESH));
        assert_close("data", &end, &[mu; 8], 1e-10);
    }
}

/// `dz/dt = z·cos(6t)` from 1 down to 0 multiplies by `e^{−sin(6)/6}`.
#[test]
fn the_adaptive_solver_meets_its_tolerance() {
    let exact = values(noise(3) * (-(6f64.sin()) / 6.0).exp());
    let mut last = 0;
    for tolerance in [1e-3, 1e-6, 1e-9] {
        let asked = RefCell::new(0);
        let counted = field(|z, _, t| {
            *asked.borrow_mut() += 1;
            z * per_row((t * 6.0).cos())
        });
        let found = DormandPrince { tolerance }.sample(&Field::new(&counted, Condition::none()), noise(3));
        assert!(found.met && found.evaluations == asked.take() && found.evaluations > last);
        last = found.evaluations;
        let worst =
            values(found.samples).iter().zip(&exact).fold(0f64, |most, (a, b)| most.max((a - b).abs()));
        // The errors of some tens of steps add up.
        assert!(worst < 10.0 * tolerance, "{worst:e} at {tolerance:e} with {last} evaluations");
    }
    // Order 5: a thousand times the accuracy for about four times the work.
    assert!(last < 600, "{last} evaluations");
}

#[test]
fn a_field_without_numbers_is_given_up() {
    let broken = field(|z, _, _| z * f64::NAN);
    let found = DormandPrince { tolerance: 1e-3 }.sample(&Field::new(&broken, Condition::none()), noise(1));
    assert!(!found.met);
}
