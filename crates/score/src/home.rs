//! What this crate asks of those who know runs and experiment files.

use crate::ScoreError;
use meanflow_data::Dataset;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

/// Opens what only its owner can read.
pub trait Home {
    /// The run folders that a path stands for: itself, or those in it; none for anything else.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    fn runs(&self, path: &Path) -> Result<Vec<PathBuf>, ScoreError>;

    /// The run in a folder of [`runs`](Self::runs).
    ///
    /// # Errors
    /// A folder that cannot be read.
    fn run(&self, path: &Path) -> Result<Box<dyn Run + '_>, ScoreError>;

    /// The data of an experiment file.
    ///
    /// # Errors
    /// What is wrong with the file or the data.
    fn data(&self, experiment: &Path) -> Result<Arc<dyn Dataset>, ScoreError>;
}

/// A trained run.
pub trait Run {
    /// Samples that it scores itself with.
    fn count(&self) -> usize;

    /// Evaluations a sample that it scores itself with.
    fn nfe(&self) -> &[usize];

    /// Classes of its data.
    fn classes(&self) -> Option<usize>;

    /// Its data.
    ///
    /// # Errors
    /// Data that is not there.
    fn data(&self) -> Result<Arc<dyn Dataset>, ScoreError>;

    /// Samples of its newest checkpoint.
    ///
    /// # Errors
    /// What the network cannot give.
    fn draw(&self, count: usize, nfe: usize) -> Result<Samples, ScoreError>;
}

/// Samples of a run, row-major, and what they are of.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The values.
    pub values: Vec<f32>,
    /// Shape of one, `[channels, height, width]`.
    pub shape: [usize; 3],
    /// Updates of the weights.
    pub step: u64,
    /// Label of the average, `none` for the weights themselves.
    pub ema: String,
    /// Name of the solver.
    pub solver: &'static str,
    /// Key of the noise.
    pub noise: u64,
}
