//! The outcome of a comparison: one row per quantity.

use std::{fmt, path::Path};

use serde::Serialize;
use serde_json::{Value, json};

use crate::ReferenceFile;
use meanflow_weights::HostTensor;

/// How a comparison went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParityReport {
    /// Kind of the reference file.
    pub kind: String,
    /// Every result and gradient of the file, then what in it nobody handles.
    pub rows: Vec<ParityRow>,
}

/// The comparison of one quantity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParityRow {
    /// Name of the quantity in the file, such as `out.u`.
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

impl ParityRow {
    /// Compares a tensor with the reference, if anything was got.
    pub fn of(name: String, got: Option<HostTensor>, reference: &HostTensor, tolerance: f64) -> Self {
        let Some(got) = got else { return Self::failed(name, Discrepancy::Unhandled, tolerance) };
        if got.shape != reference.shape {
            return Self::failed(name, Discrepancy::Shape, tolerance);
        }
        let wide = |tensor: &HostTensor| tensor.values.iter().copied().map(f64::from).collect::<Vec<_>>();
        Self::compare(name, &wide(&got), &wide(reference), tolerance)
    }

    /// Compares numbers with the reference's.
    pub fn compare(name: String, got: &[f64], reference: &[f64], tolerance: f64) -> Self {
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
    pub fn failed(name: String, discrepancy: Discrepancy, tolerance: f64) -> Self {
        Self { name, error: None, tolerance, pass: false, discrepancy: Some(discrepancy) }
    }

    /// Failures for what in the file is neither compared nor a weight nor one of the used `inputs`.
    pub fn unhandled(file: &ReferenceFile, inputs: &[&str], tolerance: f64) -> Vec<Self> {
        let known = |name: &str| {
            inputs.contains(&name)
                || ["out.", "grad.", "param."].iter().any(|prefix| name.starts_with(prefix))
        };
        let names = file.names("").filter(|name| !known(name));
        names.map(|name| Self::failed(name.into(), Discrepancy::Unhandled, tolerance)).collect()
    }
}

impl ParityReport {
    /// Whether every quantity agrees, and there is at least one.
    pub fn passed(&self) -> bool {
        !self.rows.is_empty() && self.rows.iter().all(|row| row.pass)
    }

    /// Number of quantities that were compared, of all [`rows`](Self::rows).
    pub fn compared(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_some()).count()
    }

    /// For programs, with the name of the file.
    pub fn json(&self, file: &Path) -> Value {
        json!({
            "file": file.to_string_lossy(), "kind": self.kind, "rows": self.rows, "compared": self.compared(),
            "passed": self.passed(),
        })
    }
}

impl fmt::Display for ParityReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> HostTensor {
        HostTensor { shape: vec![values.len()], values: values.to_vec() }
    }

    fn row(got: &[f32], reference: &[f32]) -> ParityRow {
        ParityRow::of("out.x".into(), Some(tensor(got)), &tensor(reference), 1e-3)
    }

    #[test]
    fn errors_are_relative_to_the_largest_reference_value() {
        let near = row(&[0.004, -8.0], &[0.0, -8.0]);
        assert!(near.pass && (near.error.unwrap() - 5e-4).abs() < 1e-9);
        assert_eq!(row(&[0.04, -8.0], &[0.0, -8.0]).discrepancy, Some(Discrepancy::TooLarge));
        assert!(row(&[0.0], &[0.0]).pass);
        assert!(!row(&[0.5], &[0.0]).pass);
    }

    #[test]
    fn what_is_not_finite_or_of_another_shape_fails() {
        let nan = [1.0, f32::NAN];
        let one = [1.0, 1.0];
        for (got, reference) in [(nan, one), (one, nan), (nan, nan), ([f32::INFINITY; 2], one)] {
            assert_eq!(row(&got, &reference).discrepancy, Some(Discrepancy::NotFinite));
        }
        assert_eq!(row(&[1.0], &one).discrepancy, Some(Discrepancy::Shape));
    }

    #[test]
    fn a_report_ends_with_the_count() {
        let mut report = ParityReport { kind: "k".into(), rows: vec![row(&[1.0], &[1.0])] };
        assert!(report.passed());
        assert!(report.to_string().ends_with("\ncompared 1 of 1"));
        report.rows.push(ParityRow::failed("out.y".into(), Discrepancy::Unhandled, 1e-3));
        assert!(!report.passed());
        assert!(report.to_string().ends_with("\n1 failed, compared 1 of 2"));
        report.rows.clear();
        assert!(!report.passed());
    }
}
