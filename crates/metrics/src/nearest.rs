//! The nearest real pictures of samples, and what they say of memorisation.

use ndarray::ArrayView2;

use crate::{
    MetricError,
    samples::{REAL, check_pair},
    tiles::{direct, mean_row, over_pairs},
};

/// A real row beside a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbour {
    /// Its place among the real ones.
    pub index: usize,
    /// Its Euclidean distance.
    pub distance: f64,
}

/// The `k` nearest rows of `real` for every row of `samples`, nearest first; of equal ones the first.
///
/// Memory beyond the sets is some hundred rows a thread.
///
/// # Shapes
/// `samples`: `[n, dimension]`, `real`: `[m, dimension]`; the result has n entries of k neighbours.
///
/// # Errors
/// Fewer than `k` real rows, no samples, `k = 0`, unequal dimensions, values that are not finite.
pub fn nearest<T: Copy + Into<f64> + Sync>(
    samples: ArrayView2<'_, T>,
    real: ArrayView2<'_, T>,
    k: usize,
) -> Result<Vec<Vec<Neighbour>>, MetricError> {
    if k == 0 {
        return Err(MetricError::Zero("neighbours"));
    }
    check_pair(samples, real, 1)?;
    if real.nrows() < k {
        return Err(MetricError::TooFewSamples { what: REAL, needed: k, got: real.nrows() });
    }
    let centre = mean_row(real);
    let parts = over_pairs(
        samples,
        real,
        &centre,
        // Squared distances, rising.
        |rows| vec![Vec::<Neighbour>::with_capacity(k + 1); rows.len()],
        |found, tile| {
            let rounding = tile.rounding();
            for (i, nearest) in found.iter_mut().enumerate() {
                for (j, index) in tile.columns.clone().enumerate() {
                    let fast = tile.squared_distance(i, j);
                    if nearest.len() == k && nearest[k - 1].distance < fast - rounding {
                        continue;
                    }
                    let distance = direct(samples.row(tile.rows.start + i), real.row(index));
                    let place = nearest.partition_point(|other| other.distance <= distance);
                    nearest.insert(place, Neighbour { index, distance });
                    nearest.truncate(k);
                }
            }
        },
    );
    let mut all: Vec<Vec<Neighbour>> = parts.into_iter().flatten().collect();
    all.iter_mut().flatten().for_each(|neighbour| neighbour.distance = neighbour.distance.sqrt());
    Ok(all)
}

/// Whether samples lie nearer to the training data than other real data does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memorisation {
    /// Median distance of a sample to its nearest training row.
    pub samples: f64,
    /// The same of held-out rows.
    pub held_out: f64,
    /// Share of the samples that are nearer to a training row than 99 in 100 held-out rows are: about 0.01 where nothing was
    /// memorised, 1 where all are copies.
    pub close: f64,
}

/// Compares the distances to the nearest training row of samples and of held-out rows.
///
/// # Errors
/// An empty list.
pub fn memorisation(samples: &[f64], held_out: &[f64]) -> Result<Memorisation, MetricError> {
    let sorted = |what: &'static str, distances: &[f64]| {
        if distances.is_empty() {
            return Err(MetricError::TooFewSamples { what, needed: 1, got: 0 });
        }
        let mut sorted = distances.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(sorted)
    };
    let (samples, held_out) =
        (sorted("the distances of samples", samples)?, sorted("the distances of held-out data", held_out)?);
    let limit = held_out[held_out.len() / 100];
    let close = samples.iter().filter(|&&distance| distance < limit).count();
    Ok(Memorisation {
        samples: samples[samples.len() / 2],
        held_out: held_out[held_out.len() / 2],
        close: close as f64 / samples.len() as f64,
    })
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array, s};

    use super::*;

    #[test]
    fn a_line_by_hand() {
        let real = array![[0.0], [10.0], [11.0], [13.0]];
        let samples = array![[10.6], [0.0]];
        let found = nearest(samples.view(), real.view(), 3).unwrap();
        let indices: Vec<Vec<usize>> =
            found.iter().map(|row| row.iter().map(|neighbour| neighbour.index).collect()).collect();
        assert_eq!(indices, [[2, 1, 3], [0, 1, 2]]);
        assert!((found[0][0].distance - 0.4).abs() < 1e-12 && found[1][0].distance == 0.0);
    }

    #[test]
    fn many_rows_equal_the_search_of_all() {
        let all = Array2::from_shape_fn((900, 7), |(i, j)| ((i * 37 + j * j * 11 + i * i * j) % 997) as f32);
        let (samples, real) = (all.slice(s![..300, ..]), all.slice(s![300.., ..]));
        let found = nearest(samples, real, 4).unwrap();
        for (i, neighbours) in found.iter().enumerate() {
            let mut distances: Vec<f64> = real
                .rows()
                .into_iter()
                .map(|row| {
                    let squares = row.iter().zip(samples.row(i)).map(|(a, b)| f64::from(a - b).powi(2));
                    squares.sum::<f64>().sqrt()
                })
                .collect();
            distances.sort_unstable_by(f64::total_cmp);
            for (neighbour, expected) in neighbours.iter().zip(distances) {
                assert!((neighbour.distance - expected).abs() <= 1e-9 * expected, "{i}: {neighbours:?}");
            }
        }
    }

    #[test]
    fn of_equal_distances_the_first_comes_first() {
        let set = Array2::from_shape_fn((400, 3), |(i, j)| ((i * 7 + j * 13 + i * i) % 3) as f32);
        for (i, found) in nearest(set.view(), set.view(), 6).unwrap().iter().enumerate() {
            let squared = |j: usize| direct(set.row(i), set.row(j));
            let mut expected: Vec<usize> = (0..400).collect();
            expected.sort_by(|&a, &b| squared(a).total_cmp(&squared(b)));
            let found: Vec<usize> = found.iter().map(|neighbour| neighbour.index).collect();
            assert_eq!(found, expected[..6]);
        }
    }

    #[test]
    fn copies_are_seen() {
        let held_out: Vec<f64> = (0..1000).map(|k| 1.0 + f64::from(k) / 1000.0).collect();
        let fresh = memorisation(&held_out, &held_out).unwrap();
        assert_eq!((fresh.close, fresh.samples), (0.01, fresh.held_out));
        let half: Vec<f64> = (0..100).map(|k| if k < 50 { 0.0 } else { 1.5 }).collect();
        assert_eq!(memorisation(&half, &held_out).unwrap().close, 0.5);
        assert!(memorisation(&[], &held_out).is_err());
    }

    #[test]
    fn refuses() {
        let set = Array2::<f32>::zeros((3, 2));
        assert_eq!(nearest(set.view(), set.view(), 0).unwrap_err(), MetricError::Zero("neighbours"));
        let error = nearest(set.view(), set.view(), 4).unwrap_err();
        assert_eq!(error, MetricError::TooFewSamples { what: REAL, needed: 4, got: 3 });
        let mut bad = set.clone();
        bad[[1, 0]] = f32::NAN;
        assert!(matches!(nearest(bad.view(), set.view(), 1), Err(MetricError::NotFinite { row: 1, .. })));
        let other = Array2::<f32>::zeros((3, 5));
        assert!(matches!(nearest(other.view(), set.view(), 1), Err(MetricError::UnequalDimensions { .. })));
    }
}
