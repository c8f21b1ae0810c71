//! The toy densities: moments against closed forms, supports, modes, and draws that are fixed and
//! independent.

use std::collections::BTreeSet;
use std::f64::consts::PI;

use meanflow_data::{
    CheckerboardConfig, DataConfig, EightGaussiansConfig, SwissRollConfig, TwoMoonsConfig, TwoSpiralsConfig,
    contact_sheet, inspect, read_rows,
};

const POINTS: usize = 40_000;

/// Each density with labels where it has modes, and the exact variances of x and y where they are known, else
/// their sum.
fn densities() -> [(DataConfig, Moments); 5] {
    let square = |x: f64| x * x;
    let moon = square(4.0 / 3.0);
    // E[ρ²] for ρ uniform in [2/3, 2].
    let roll = (8.0 - 8.0 / 27.0) / 4.0;
    [
        (
            DataConfig::new(EightGaussiansConfig { points: POINTS, labels: true, ..Default::default() }),
            Moments::Each([1.0 + square(0.15); 2]),
        ),
        (
            DataConfig::new(CheckerboardConfig { points: POINTS, labels: true, ..Default::default() }),
            Moments::Each([4.0 / 3.0; 2]),
        ),
        (
            DataConfig::new(TwoMoonsConfig { points: POINTS, labels: true, ..Default::default() }),
            Moments::Each([moon * 0.75 + square(0.08), moon * (0.5625 - 1.0 / PI) + square(0.08)]),
        ),
        (
            DataConfig::new(TwoSpiralsConfig { points: POINTS, labels: true, ..Default::default() }),
            Moments::Sum(2.0 + 2.0 * square(0.05)),
        ),
        (
            DataConfig::new(SwissRollConfig { points: POINTS, ..Default::default() }),
            Moments::Sum(roll + 2.0 * square(0.05)),
        ),
    ]
}

enum Moments {
    /// Variances of x and y about mean 0.
    Each([f64; 2]),
    /// E[x² + y²].
    Sum(f64),
}

/// Means of x, y, x² and y².
fn moments(points: &[f32]) -> [f64; 4] {
    let mut sums = [0.0; 4];
    for pair in points.chunks(2) {
        let [x, y] = [f64::from(pair[0]), f64::from(pair[1])];
        for (sum, term) in sums.iter_mut().zip([x, y, x * x, y * y]) {
            *sum += term / (points.len() / 2) as f64;
        }
    }
    sums
}

#[test]
fn moments_are_those_of_the_density_in_both_draws() {
    for (config, exact) in densities() {
        let dataset = config.open().expect("valid settings");
        let drawn = read_rows(&*dataset, 0..POINTS).expect("in memory");
        let fresh = dataset.held_out(POINTS, 3).expect("in memory").expect("a density");
        for points in [drawn, fresh] {
            let [x, y, xx, yy] = moments(&points);
            // Five standard errors are 0.03 for means near unit variance, and about as much for squares.
            match exact {
                Moments::Each(variances) => {
                    for (found, exact) in [(x, 0.0), (y, 0.0), (xx, variances[0]), (yy, variances[1])] {
                        assert!((found - exact).abs() < 0.03, "{}: {found} against {exact}", config.name());
                    }
                }
                Moments::Sum(exact) => {
                    assert!((xx + yy - exact).abs() < 0.04, "{}: {} against {exact}", config.name(), xx + yy)
                }
            }
            let largest = points.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
            assert!((1.8..2.5).contains(&largest), "{}: {largest}", config.name());
        }
    }
}

#[test]
fn draws_are_fixed_and_independent() {
    for (config, _) in densities() {
        let [one, two] = [config.open(), config.open()].map(|dataset| dataset.expect("valid settings"));
        assert_eq!(one.digest(), two.digest());
        let held_out = |seed| one.held_out(500, seed).expect("in memory").expect("a density");
        assert_eq!(held_out(0), two.held_out(500, 0).expect("in memory").expect("a density"));
        assert_eq!(held_out(0).len(), 1_000);
        // No two of 41,000 points of a continuous density share both coordinates.
        let mut points = read_rows(&*one, 0..POINTS).expect("in memory");
        points.extend(held_out(0).into_iter().chain(held_out(1)));
        let distinct: BTreeSet<_> =
            points.chunks(2).map(|pair| (pair[0].to_bits(), pair[1].to_bits())).collect();
        assert_eq!(distinct.len(), POINTS + 1_000, "{}", config.name());
    }
}

#[test]
fn another_seed_is_another_draw() {
    let digest = |seed| {
        let config = CheckerboardConfig { points: 1_000, seed, ..Default::default() };
        DataConfig::new(config).open().expect("valid settings").digest()
    };
    assert_ne!(digest(0), digest(1));
    // The generator itself must not change unnoticed: old runs could not be resumed.
    assert_eq!(digest(0), "ebe769279ff1a58d26fe09b1747c989aa7f9d6d5e0ef2ee2b28a048c84dce675");
}

#[test]
fn modes_are_where_their_labels_say_and_as_likely() {
    for (config, _) in densities() {
        let dataset = config.open().expect("valid settings");
        let Some(counts) = inspect(&*dataset).expect("in memory").class_counts else {
            assert_eq!(config.name(), "swiss-roll");
            continue;
        };
        let expected = POINTS as f64 / counts.len() as f64;
        let chi2: f64 = counts.iter().map(|&count| (count as f64 - expected).powi(2) / expected).sum();
        // χ² with 7 degrees of freedom exceeds 29.9 once in ten thousand.
        assert!(chi2 < 29.9, "{}: {counts:?}", config.name());
        let mut point = [0.0; 2];
        for index in 0..2_000 {
            dataset.read(index, &mut point).expect("in memory");
            let label = dataset.label(index).expect("labels");
            let [x, y] = point.map(f64::from);
            let fits = match config.name() {
                // Within five deviations of its centre.
                "eight-gaussians" => {
                    let angle = PI / 4.0 * label as f64;
                    (x - 2f64.sqrt() * angle.cos()).hypot(y - 2f64.sqrt() * angle.sin()) < 5.0 * 0.15
                }
                "checkerboard" => {
                    let (column, row) = ((x + 2.0).floor() as usize, (y + 2.0).floor() as usize);
                    (column + row).is_multiple_of(2) && label == 2 * row + column / 2
                }
                // Near the half circle of radius 4/3 about (∓2/3, ∓1/3).
                "two-moons" => {
                    let side = if label == 0 { 1.0 } else { -1.0 };
                    let radius = (side * x + 2.0 / 3.0).hypot(side * y + 1.0 / 3.0);
                    (radius - 4.0 / 3.0).abs() < 5.0 * 0.08 && side * y + 1.0 / 3.0 > -5.0 * 0.08
                }
                // Near some point of its arm.
                "two-spirals" => (0..=2_000).any(|i| {
                    let radius = f64::from(i) / 1_000.0;
                    let angle = 1.5 * PI * radius + if label == 0 { 0.0 } else { PI };
                    (x - radius * angle.cos()).hypot(y - radius * angle.sin()) < 5.0 * 0.05
                }),
                name => panic!("{name} has no labels"),
            };
            assert!(fits, "{}: label {label} at {point:?}", config.name());
        }
    }
}

#[test]
fn contact_sheets_of_points_show_their_density() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("sheet.png");
    let config = CheckerboardConfig { points: POINTS, ..Default::default() };
    contact_sheet(&*DataConfig::new(config).open().expect("valid settings"), &path)
        .expect("a writable folder");
    let sheet = image::open(&path).expect("a PNG").into_luma8();
    // On [−2.5, 2.5]², y upwards: the square at the lower left is dark, its right neighbour white.
    let shade = |x: f64, y: f64| {
        let [column, row] = [x, -y].map(|x| ((x + 2.5) / 5.0 * f64::from(sheet.width())) as u32);
        let patch = (0..64).map(|i| u32::from(sheet.get_pixel(column + i % 8, row + i / 8).0[0]));
        patch.sum::<u32>() / 64
    };
    assert!(shade(-1.5, -1.5) < 200 && shade(-0.5, -1.5) == 255 && shade(-0.5, -0.5) < 200);
}
