//! The metrics against numbers of SciPy 1.x and NumPy; `data/README.md` says what the inputs are.

use crate::measures::{metric, rows};
use meanflow_metrics::{FdPca, METRICS, Moments, Settings, energy_distance, frechet, wasserstein2};
use ndarray::{Array2, s};

const FEATURES: usize = 48;

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(crate::data(name)).expect(name)
}

fn read_f32(name: &str, columns: usize) -> Array2<f32> {
    let values: Vec<f32> =
        bytes(name).chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("4 bytes"))).collect();
    Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
}

fn close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs(), "{found} against {expected}");
}

#[test]
fn w2_equals_scipy() {
    let points = read_f32("points.f32", 2);
    let (a, b) = (points.slice(s![..128, ..]), points.slice(s![128.., ..]));
    // scipy.optimize.linear_sum_assignment on squared distances in f64, root of the mean.
    close(wasserstein2(a, b).unwrap(), 0.785_549_747_570_108_3, 1e-12);
    close(wasserstein2(b, a).unwrap(), 0.785_549_747_570_108_3, 1e-12);
    // The same of the f64 points that the f32 ones were rounded from.
    close(wasserstein2(a, b).unwrap(), 0.785_549_733_950_240_6, 1e-6);
}

#[test]
fn energy_equals_scipy() {
    let points = read_f32("points.f32", 2);
    // scipy.spatial.distance.cdist, 2·mean(ab) − mean(aa) − mean(bb), diagonals included.
    let found = energy_distance(points.slice(s![..128, ..]), points.slice(s![128.., ..])).unwrap();
    close(found, 0.118_256_916_497_65, 1e-10);
}

#[test]
fn frechet_equals_scipy() {
    let values: Vec<f64> = bytes("moments.f64")
        .chunks_exact(8)
        .map(|b| f64::from_le_bytes(b.try_into().expect("8 bytes")))
        .collect();
    let (first, second) = values.split_at(values.len() / 2);
    let unpack = |values: &[f64]| {
        let (mean, triangle) = values.split_at(FEATURES);
        let at = |i: usize, j: usize| triangle[i.max(j) * (i.max(j) + 1) / 2 + i.min(j)];
        (mean.to_vec(), Array2::from_shape_fn((FEATURES, FEATURES), |(i, j)| at(i, j)))
    };
    let ((m1, s1), (m2, s2)) = (unpack(first), unpack(second));
    // scipy.linalg.sqrtm of the product of the covariances.
    let found = frechet(&m1, s1.view(), &m2, s2.view()).unwrap();
    close(found.distance, 2.453_701_315_006_199_5, 1e-9);
    assert_eq!(found.most_negative, 0.0);
}

#[test]
fn frechet_of_singular_covariances_equals_scipy() {
    let features = read_f32("features.f32", FEATURES);
    let moments = |from: usize| {
        let mut moments = Moments::new(FEATURES);
        moments.add(features.slice(s![from..from + 30, ..])).unwrap();
        (moments.mean().unwrap(), moments.covariance().unwrap())
    };
    let ((m1, s1), (m2, s2)) = (moments(0), moments(30));
    // The same, in the plain form: nothing added to the diagonal. sqrtm itself is good to 1e-3 here.
    let found = frechet(&m1, s1.view(), &m2, s2.view()).unwrap();
    close(found.distance, 26.299_601_361_534_215, 1e-6);
    assert!(found.most_negative < 0.0 && found.most_negative > -1e-6, "{found:?}");
}

#[test]
fn fd_pca_equals_numpy() {
    let features = read_f32("features.f32", FEATURES);
    let (real, fake) = (features.slice(s![..30, ..]), features.slice(s![30.., ..]));
    // numpy.linalg.eigh of the covariance, 8 leading vectors, eigvals of the product of the projected covariances.
    close(FdPca::fit(real, 8).unwrap().distance(fake).unwrap().frechet.distance, 5.945_562_660_650_95, 1e-9);
}

/// Points around a ring, different for each seed.
fn ring(n: usize, seed: usize) -> Array2<f32> {
    Array2::from_shape_fn((n, 2), |(i, j)| {
        let angle = (i * 7919 + seed * 104_729) as f32 * 0.618_034 * std::f32::consts::TAU;
        let radius = 1.0 + 0.3 * ((i * 31 + seed * 17) % 97) as f32 / 97.0;
        radius * if j == 0 { angle.cos() } else { angle.sin() }
    })
}

#[test]
fn the_registry_scores_by_name() {
    let settings = Settings { seed: 7, repeats: 0, ..Settings::default() };
    let (real, samples) = (ring(300, 0), ring(300, 1));
    for name in ["w2", "sliced_w2", "energy"] {
        let metric = metric(name);
        assert!(metric.applies_to([2, 1, 1]) && !metric.applies_to([1, 28, 28]));
        let reference = metric.reference(&rows(&real), &settings).unwrap();
        let values = reference.evaluate(&samples.view().into()).unwrap();
        assert!(values.len() == 1 && values[0].value > 0.0 && values[0].value < 1.0, "{name} {values:?}");
        assert_eq!(reference.floor(&samples.view().into()).unwrap(), values);
    }
    let images = Array2::from_shape_fn((200, 64), |(i, j)| ((i * i * 3 + j * 7 + i * j) % 53) as f32 / 53.0);
    let metric = metric("fd_pca64");
    assert!(metric.applies_to([1, 8, 8]) && !metric.applies_to([1, 7, 7]) && !metric.applies_to([2, 1, 1]));
    let values = metric.evaluate(images.view(), &rows(&images), &settings).unwrap();
    assert!(values[0].value.abs() < 1e-9);
    let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), METRICS.len());
}
