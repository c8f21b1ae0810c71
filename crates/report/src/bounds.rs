//! How much of what runs logged is shown: a log may have any number of names, and a page may not.

use crate::run::Run;

/// Columns of the score table, over all runs: metrics, each at every NFE.
const COLUMNS: usize = 48;

/// Rows of a run in the score table: averages and solvers.
const ROWS: usize = 16;

/// Runs, or groups of them, in figures; tables have all.
pub const DRAWN: usize = 48;

/// NFEs at which the samples of a run are shown.
pub const GRIDS: usize = 12;

/// Bytes of a name.
const NAME: usize = 100;

/// Whether a name can be shown.
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME
}

/// A text of a log, cut off where it would fill a page.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(10 * NAME) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The first names of some.
struct First<T> {
    names: Vec<T>,
    most: usize,
    /// Something was not among them.
    more: bool,
}

impl<T: PartialEq> First<T> {
    fn new(most: usize) -> Self {
        Self { names: Vec::new(), most, more: false }
    }

    /// Whether this is one of them.
    fn has(&mut self, name: T) -> bool {
        let known = self.names.contains(&name);
        if !known && self.names.len() < self.most {
            self.names.push(name);
            return true;
        }
        self.more |= !known;
        known
    }
}

/// Leaves out the scores that the table has no place for, and notes it.
pub fn bound(runs: &mut [Run]) {
    let mut columns = First::new(COLUMNS);
    for run in runs.iter_mut() {
        let mut rows = First::new(ROWS);
        columns.more = false;
        run.evals.retain(|line| {
            columns.has((line.metric.clone(), line.nfe)) & rows.has((line.ema.clone(), line.solver.clone()))
        });
        if columns.more {
            run.notes.push(format!(
                "it has more scores than the {COLUMNS} columns (metrics and NFEs) that are shown"
            ));
        }
        if rows.more {
            run.notes.push(format!("it has more averages and solvers than the {ROWS} that are shown"));
        }
    }
}
