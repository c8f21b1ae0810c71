//! The guided field against its formula row by row, and in the objective.

use burn::backend::Flex;
use meanflow_core::{Backbone, Condition, Streams, objective::GuidanceConfig};
use proptest::prelude::*;

use crate::{
    common::{
        B, Field, assert_close, batch, bits, cases, draw, field, ints, loss, meanflow, tensor, uniform,
        values,
    },
    naive,
    network::{CLASSES, Net, SAMPLE, parameters},
};

const ROWS: usize = 7;
const SHAPE: [usize; 4] = [ROWS, SAMPLE[0], SAMPLE[1], SAMPLE[2]];
const TIMES: [f32; ROWS] = [0.0, 0.125, 0.25, 0.5, 0.75, 0.875, 1.0];
const LABELS: [i64; ROWS] = [2, 1, 0, 2, 1, 0, 2];

struct Case {
    z: Vec<f64>,
    v: Vec<f64>,
}

impl Case {
    fn new(seed: u64) -> Self {
        Self { z: uniform(SHAPE.iter().product(), seed), v: uniform(SHAPE.iter().product(), seed + 1) }
    }

    fn field<N: Backbone<Flex>>(&self, guidance: &GuidanceConfig, net: &N, dropped: usize) -> Vec<f64> {
        let condition = Condition::labels(ints(&LABELS));
        let (z, v) = (tensor(&self.z, SHAPE), tensor(&self.v, SHAPE));
        values(guidance.field(net, z, v, &TIMES, &condition, &first(dropped)))
    }

    fn naive(&self, guidance: &GuidanceConfig, net: &Net<Flex>, dropped: usize) -> Vec<f64> {
        let times = TIMES.map(f64::from);
        naive::guided(net, guidance, &self.z, &self.v, &times, &LABELS, &first(dropped))
    }
}

/// The first rows lose their label.
fn first(dropped: usize) -> Vec<bool> {
    (0..ROWS).map(|row| row < dropped).collect()
}

fn config(omega: f64, kappa: f64, interval: [f64; 2]) -> GuidanceConfig {
    GuidanceConfig { omega, kappa, interval }
}

#[test]
fn formulas() {
    let (net, case) = (Net::<Flex>::new(&parameters(31)), Case::new(32));
    for (omega, kappa) in [(2.0, 0.0), (0.5, 0.0), (1.0, 0.5), (0.25, 0.875), (3.0, 0.25)] {
        for interval in [[0.0, 1.0], [0.25, 0.75], [0.3, 0.4]] {
            for dropped in [0, 3, ROWS] {
                let guidance = config(omega, kappa, interval);
                let name = format!("{guidance:?}, {dropped} dropped");
                let (field, naive) =
                    (case.field(&guidance, &net, dropped), case.naive(&guidance, &net, dropped));
                assert_close(&name, &field, &naive, 1e-13);
            }
        }
    }
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn any_guidance(omega in 0u8..80, kappa in 0u8..16, ends in [0u8..=16, 0..=16], dropped in 0..=ROWS, seed in 0u64..1000) {
        let [start, end] = ends.map(|end| f64::from(end) / 16.0);
        let guidance = config(f64::from(omega) / 16.0, f64::from(kappa) / 16.0, [start.min(end), start.max(end)]);
        let (net, case) = (Net::<Flex>::new(&parameters(seed)), Case::new(seed));
        let (field, naive) = (case.field(&guidance, &net, dropped), case.naive(&guidance, &net, dropped));
        assert_close(&format!("{guidance:?}, {dropped} dropped"), &field, &naive, 1e-13);
    }
}

/// The ends belong to the interval; rows outside and dropped rows keep `v` to the bit.
#[test]
fn interval_and_dropped_rows() {
    let (net, case) = (Net::<Flex>::new(&parameters(33)), Case::new(34));
    for kappa in [0.0, 0.5] {
        let field = case.field(&config(2.0, kappa, [0.25, 0.875]), &net, 3);
        for row in 0..ROWS {
            let (field, v) = (&field[row * 4..][..4], &case.v[row * 4..][..4]);
            assert_eq!(bits(field) == bits(v), [0, 1, 2, 6].contains(&row), "row {row}, kappa {kappa}");
        }
    }
}

#[test]
fn neutral_guidance_is_the_velocity_exactly() {
    let (net, case) = (Net::<Flex>::new(&parameters(35)), Case::new(36));
    assert_eq!(bits(&case.field(&config(1.0, 0.0, [0.0, 1.0]), &net, 0)), bits(&case.v));
}

#[test]
fn effective_scale() {
    assert_eq!(config(2.0, 0.0, [0.0, 1.0]).effective(), 2.0);
    assert_eq!(config(1.0, 0.5, [0.0, 1.0]).effective(), 2.0);
    assert!((config(0.2, 0.92, [0.0, 1.0]).effective() - 2.5).abs() < 1e-14);
}

/// What the effective scale means: a network that has learnt `v_c = ω'·v + (1 − ω')·v_u` reproduces itself.
#[test]
fn the_effective_scale_is_the_fixed_point() {
    let (case, null) = (Case::new(37), uniform(SHAPE.iter().product(), 39));
    for (omega, kappa) in [(1.0, 0.5), (0.25, 0.875), (3.0, 0.25)] {
        let guidance = config(omega, kappa, [0.0, 1.0]);
        let scale = guidance.effective();
        let learnt: Vec<f64> =
            case.v.iter().zip(&null).map(|(v, null)| scale * v + (1.0 - scale) * null).collect();
        // The null class first, then the labels, as many rows each.
        let net = Field {
            function: Box::new(|z, _, _, condition| {
                let labels = condition.labels.clone().expect("labels").into_data();
                let rows = labels.iter::<i64>().enumerate().flat_map(|(row, label)| {
                    let table = if label == CLASSES as i64 { &null } else { &learnt };
                    table[row % ROWS * 4..][..4].to_vec()
                });
                tensor(&rows.collect::<Vec<_>>(), z.dims())
            }),
            classes: Some(CLASSES),
        };
        assert_close("fixed point", &case.field(&guidance, &net, 0), &learnt, 1e-13);
    }
}

/// In the objective, neutral guidance changes nothing, and real guidance is target and tangent at once.
#[test]
fn guidance_in_the_objective() {
    let net = Net::<B>::new(&parameters(41));
    let numbers = |guidance: Option<GuidanceConfig>, share: f64| {
        let mut objective = meanflow(share);
        (objective.label_dropout, objective.guidance) = (0.2, guidance);
        let batch = batch(SHAPE, CLASSES, 42);
        let draws = draw(&objective, &Streams::new(43), 0, SHAPE);
        let step = loss(&objective, &net, batch.clone(), &draws);
        let naive = naive::step(&net, &batch, &draws, objective.weight, guidance.as_ref());
        assert_close("velocity", &values(step.velocity), &naive.velocity, 1e-12);
        assert_close("squared", &values(step.squared.clone()), &naive.squared, 1e-12);
        [bits(&values(step.squared)), bits(&net.gradient(step.loss))]
    };
    for share in [0.0, 0.5, 1.0] {
        let plain = numbers(None, share);
        assert_eq!(plain, numbers(Some(config(1.0, 0.0, [0.0, 1.0])), share));
        assert_eq!(plain, numbers(Some(config(2.0, 0.5, [0.0, 0.0])), share), "never inside the interval");
        assert_ne!(plain, numbers(Some(config(2.0, 0.0, [0.0, 1.0])), share));
        assert_ne!(plain, numbers(Some(config(1.0, 0.5, [0.0, 1.0])), share));
    }
}

#[test]
#[should_panic(expected = "class-conditional")]
fn guidance_without_classes() {
    Case::new(1).field(&config(2.0, 0.0, [0.0, 1.0]), &field(|z, _, _| z), 0);
}
