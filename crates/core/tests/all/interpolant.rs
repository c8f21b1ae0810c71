//! The straight path, norms of rows and pairs of times.

use burn::backend::Flex;
use meanflow_core::{
    interpolant::{linear_path, per_row, squared_norm},
    time::Times,
};

use crate::common::{assert_close, tensor, uniform, values};

#[test]
fn the_path_runs_from_data_to_noise() {
    let shape = [3, 2, 1, 2];
    let (x, e) = (uniform(12, 1), uniform(12, 2));
    let t = [0.0, 0.25, 1.0];
    let path = linear_path::<Flex>(tensor(&x, shape), tensor(&e, shape), tensor(&t, [3]));
    let z: Vec<f64> = (0..12).map(|i| (1.0 - t[i / 4]) * x[i] + t[i / 4] * e[i]).collect();
    let v: Vec<f64> = (0..12).map(|i| e[i] - x[i]).collect();
    assert_close("z", &values(path.z), &z, 1e-15);
    assert_close("v", &values(path.v), &v, 0.0);
}

#[test]
fn squared_norms_sum_over_a_sample() {
    let a = uniform(24, 3);
    let expected: Vec<f64> = a.chunks(12).map(|row| row.iter().map(|a| a * a).sum()).collect();
    assert_close("norm", &values(squared_norm::<Flex>(tensor(&a, [2, 3, 2, 2]))), &expected, 1e-15);
    let rows = per_row::<Flex>(tensor(&[1.0, 2.0], [2]));
    assert_eq!(rows.dims(), [2, 1, 1, 1]);
}

#[test]
fn times_put_the_still_rows_first() {
    let times = Times::new([(0.9, 0.1), (0.5, 0.5), (0.8, 0.2), (0.3, 0.3)]);
    assert_eq!(times, Times { t: vec![0.5, 0.3, 0.9, 0.8], r: vec![0.5, 0.3, 0.1, 0.2], still: 2 });
}

#[test]
#[should_panic(expected = "t = 0.25, r = 0.5")]
fn a_pair_out_of_order() {
    Times::new([(0.25, 0.5)]);
}
