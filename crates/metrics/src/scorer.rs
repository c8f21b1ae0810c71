//! A score of samples that come in parts.

use ndarray::{Array2, ArrayView2};

use crate::{FdPca, MetricError, Reference, Value, fd_pca, kinds::fd_pca64::of_projected, moments::at};

/// Samples that are projected at a time: whole tasks of a projection, so that the parts they come in change no bit.
const ROWS: usize = 4 * fd_pca::ROWS;

/// Takes samples part by part and keeps no more of them than the metric needs: of images their coordinates on the components,
/// of points all.
#[derive(Clone, Debug)]
pub struct Scorer<'a> {
    reference: &'a Reference,
    dimension: usize,
    /// Values that are not projected yet, or all.
    values: Vec<f32>,
    /// Coordinates of those before.
    projected: Vec<f64>,
}

impl<'a> Scorer<'a> {
    /// No samples of this dimension yet.
    ///
    /// # Panics
    /// If `dimension` is 0.
    pub fn new(reference: &'a Reference, dimension: usize) -> Self {
        assert!(dimension > 0, "samples of no dimension");
        Self { reference, dimension, values: Vec::new(), projected: Vec::new() }
    }

    /// Takes the next samples, row after row.
    ///
    /// # Errors
    /// Values that are not finite, another dimension than the reference's.
    ///
    /// # Panics
    /// If `values` are no whole rows.
    pub fn add(&mut self, values: &[f32]) -> Result<(), MetricError> {
        assert!(values.len().is_multiple_of(self.dimension), "{} values are no whole rows", values.len());
        let Some(pca) = self.reference.prepared.components() else {
            self.values.extend_from_slice(values);
            return Ok(());
        };
        let mut left = values;
        while !left.is_empty() {
            let room = ROWS * self.dimension - self.values.len();
            let (part, rest) = left.split_at(room.min(left.len()));
            self.values.extend_from_slice(part);
            left = rest;
            if self.values.len() == ROWS * self.dimension {
                self.project(pca)?;
            }
        }
        Ok(())
    }

    /// The values of all samples so far.
    ///
    /// # Errors
    /// As [`Reference::evaluate`].
    pub fn finish(mut self) -> Result<Vec<Value>, MetricError> {
        match self.reference.prepared.components() {
            None => self.reference.evaluate(&rows(&self.values, self.dimension).into()),
            Some(pca) => {
                if !self.values.is_empty() {
                    self.project(pca)?;
                }
                let shape = (self.projected.len() / pca.components(), pca.components());
                let projected = Array2::from_shape_vec(shape, self.projected).expect("whole rows");
                let n = projected.nrows();
                let found = of_projected(pca, projected.view(), &self.reference.halves(n))?;
                Ok(self.reference.with_intervals(found, n))
            }
        }
    }

    fn project(&mut self, pca: &FdPca) -> Result<(), MetricError> {
        let from = self.projected.len() / pca.components();
        let projected = pca.project(rows(&self.values, self.dimension)).map_err(|error| at(error, from))?;
        self.projected.extend(projected);
        self.values.clear();
        Ok(())
    }
}

fn rows(values: &[f32], dimension: usize) -> ArrayView2<'_, f32> {
    ArrayView2::from_shape((values.len() / dimension, dimension), values).expect("whole rows")
}

#[cfg(test)]
mod tests {
    use crate::{Metric, Real, Settings};

    use super::*;

    fn samples(n: usize, dimension: usize, step: usize) -> Array2<f32> {
        Array2::from_shape_fn((n, dimension), |(i, j)| ((i * step + j * 31) % 97) as f32 / 50.0 - 1.0)
    }

    #[test]
    fn parts_of_any_size_give_the_same_bits() {
        for (metric, dimension, n) in [("fd_pca64", 80, 2500), ("energy", 2, 300), ("w2", 2, 300)] {
            let (real, fake) = (samples(n, dimension, 17), samples(n, dimension, 23));
            let real = Real::Rows(real.into_shared());
            let reference = Metric::named(metric).unwrap().reference(&real, &Settings::default()).unwrap();
            let whole = reference.evaluate(&fake.view().into()).unwrap();
            assert!(whole[0].interval.is_some());
            for part in [1, 250, 1024, n] {
                let mut scorer = Scorer::new(&reference, dimension);
                for values in fake.as_slice().unwrap().chunks(part * dimension) {
                    scorer.add(values).unwrap();
                    let kept = if metric == "fd_pca64" { ROWS } else { n };
                    assert!(scorer.values.len() <= kept * dimension);
                }
                assert_eq!(scorer.finish().unwrap(), whole, "{metric} in parts of {part}");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_named_by_its_row() {
        let real = Real::Rows(samples(100, 64, 17).into_shared());
        let reference = Metric::named("fd_pca64").unwrap().reference(&real, &Settings::default()).unwrap();
        let mut fake = samples(1500, 64, 23);
        fake[[1400, 3]] = f32::NAN;
        let mut scorer = Scorer::new(&reference, 64);
        scorer.add(fake.as_slice().unwrap()).unwrap();
        let error = scorer.finish().unwrap_err();
        assert!(matches!(error, MetricError::NotFinite { row: 1400, column: 3, .. }), "{error:?}");
    }
}
