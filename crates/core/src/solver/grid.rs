//! Time grids, from noise down to data.

/// A strictly decreasing sequence of times in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    times: Vec<f64>,
}

/// Why a list of times is no grid.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GridError {
    /// Fewer than two times.
    #[error("a time grid needs at least two times, got {0}")]
    TooShort(usize),
    /// Not inside [0, 1], or not a number.
    #[error("time {0} lies outside [0, 1]")]
    Outside(f64),
    /// Not strictly decreasing.
    #[error("times must fall from noise (1) to data (0), but {1} follows {0}")]
    NotDecreasing(f64, f64),
}

impl Grid {
    /// The given times, e.g. `[1.0, 0.5, 0.0]` for two steps.
    ///
    /// # Errors
    /// [`GridError`] if they are not strictly decreasing inside [0, 1].
    pub fn new(times: Vec<f64>) -> Result<Self, GridError> {
        if times.len() < 2 {
            return Err(GridError::TooShort(times.len()));
        }
        if let Some(&time) = times.iter().find(|time| !(0.0..=1.0).contains(*time)) {
            return Err(GridError::Outside(time));
        }
        if let Some(pair) = times.windows(2).find(|pair| pair[1] >= pair[0]) {
            return Err(GridError::NotDecreasing(pair[0], pair[1]));
        }
        Ok(Self { times })
    }

    /// `steps` equal steps from 1 to 0.
    ///
    /// # Panics
    /// If `steps` is 0.
    pub fn uniform(steps: usize) -> Self {
        assert!(steps > 0, "a grid needs at least one step");
        let times = (0..=steps).map(|i| (steps - i) as f64 / steps as f64).collect();
        Self { times }
    }

    /// The times, noise first.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// Consecutive pairs `(t, r)`, `t > r`.
    pub fn pairs(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.times.windows(2).map(|pair| (pair[0], pair[1]))
    }
}
