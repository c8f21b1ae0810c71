//! What can keep a report from being written.

use std::path::PathBuf;

use thiserror::Error;

/// Why no report, list or comparison was made. Incomplete runs are no errors: what is missing is noted in the page.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The list of run folders is empty.
    #[error("no run folder was given")]
    NoRuns,
    /// A folder that does not exist, or that holds none of the files of a run.
    #[error("{} is not a run folder: {reason}", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A filter of a list that is no condition.
    #[error("`{0}` is no condition; write KEY=VALUE, KEY!=VALUE, KEY<VALUE or KEY>VALUE, as in `w2@1<0.3`")]
    Filter(String),
    /// A list is to be sorted or filtered by what no run has.
    #[error(
        "no run has `{0}`; there are path, state, step, started, device, commit, scores such as w2@1, and keys of the configuration"
    )]
    Sort(String),
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A figure could not be drawn.
    #[error("figure {figure}: {reason}")]
    Draw {
        /// Name of the figure.
        figure: String,
        /// What the drawing or encoding library said.
        reason: String,
    },
}

impl ReportError {
    /// Wraps an operating-system error with the path it is about.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
