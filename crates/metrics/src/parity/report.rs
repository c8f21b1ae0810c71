//! The outcome of a comparison: one row per quantity.

use std::fmt;

use serde::Serialize;

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Kind of the reference file.
    pub kind: String,
    /// Everything that the file expects, also what nobody computes.
    pub rows: Vec<Row>,
}

/// The comparison of one quantity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Its name in the file, such as `prdc_k5.recall` or `out.pool3`.
    pub name: String,
    /// Largest absolute difference over the reference's largest absolute value (over 1 if the reference is all zero);
    /// `None` if there is nothing to compare.
    pub error: Option<f64>,
    /// Largest error that passes.
    pub tolerance: f64,
    /// Whether the quantity agrees.
    pub pass: bool,
    /// Why it does not.
    pub discrepancy: Option<Discrepancy>,
}

/// Why a quantity does not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Discrepancy {
    /// The error exceeds the tolerance.
    TooLarge,
    /// Either side holds a NaN or an infinity.
    NotFinite,
    /// The two sides have different shapes.
    Shape,
    /// No code computes this quantity.
    Unhandled,
}

impl Row {
    /// Compares numbers with the reference's.
    pub(super) fn compare(name: String, got: &[f64], reference: &[f64], tolerance: f64) -> Self {
        if got.len() != reference.len() {
            return Self::failed(name, Discrepancy::Shape, tolerance);
        }
        if got.iter().chain(reference).any(|value| !value.is_finite()) {
            return Self::failed(name, Discrepancy::NotFinite, tolerance);
        }
        let largest = reference.iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
        let difference = got.iter().zip(reference).fold(0.0f64, |largest, (a, b)| largest.max((a - b).abs()));
        let error = difference / if largest > 0.0 { largest } else { 1.0 };
        let pass = error <= tolerance;
        let discrepancy = (!pass).then_some(Discrepancy::TooLarge);
        Self { name, error: Some(error), tolerance, pass, discrepancy }
    }

    /// A quantity that could not be compared.
    pub(super) fn failed(name: String, discrepancy: Discrepancy, tolerance: f64) -> Self {
        Self { name, error: None, tolerance, pass: false, discrepancy: Some(discrepancy) }
    }
}

impl Report {
    /// Whether every quantity agrees, and there is at least one.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.pass)
    }

    /// Number of quantities that were compared, of all rows.
    pub fn compared(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let names = self.rows.iter().map(|row| row.name.len());
        let width = names.max().unwrap_or(0).max("quantity".len());
        writeln!(f, "{:width$}  {:>9}  {:>9}", "quantity", "error", "tolerance")?;
        for row in &self.rows {
            let error = row.error.map_or("-".into(), |error| format!("{error:.2e}"));
            let verdict = match row.discrepancy {
                None => "ok",
                Some(Discrepancy::TooLarge) => "DIFFERS",
                Some(Discrepancy::NotFinite) => "NOT FINITE",
                Some(Discrepancy::Shape) => "OTHER SHAPE",
                Some(Discrepancy::Unhandled) => "UNHANDLED",
            };
            writeln!(f, "{:width$}  {error:>9}  {:>9.0e}  {verdict}", row.name, row.tolerance)?;
        }
        let (compared, all) = (self.compared(), self.rows.len());
        match self.rows.iter().filter(|row| !row.pass).count() {
            0 => write!(f, "compared {compared} of {all}"),
            failures => write!(f, "{failures} failed, compared {compared} of {all}"),
        }
    }
}
