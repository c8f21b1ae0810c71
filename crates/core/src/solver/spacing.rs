//! How the times of a grid are spaced.

use super::Grid;
use crate::levels::LevelGrid;
use core::fmt;
use meanflow_settings::{List, Node, Number, Reader};

/// A law of time grids.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Spacing {
    /// Equal steps.
    #[default]
    Uniform,
    /// `t = s·w/(1 + (s − 1)·w)` of uniform `w` (arXiv 2403.03206, eq. 23): above 1 the steps near the noise are short.
    Shifted {
        /// `s`; 1 is uniform.
        shift: f64,
    },
    /// EDM's noise levels `σ = t/(1 − t)` ([`LevelGrid`]) from 80 to 0.002, then 0; the first is noise itself, time 1.
    Edm {
        /// `ρ`; the published one is 7.
        rho: f64,
    },
    /// These times.
    Listed(Grid),
}

impl Spacing {
    /// The grid of so many steps; a list has its own number.
    ///
    /// # Panics
    /// If `steps` is 0.
    pub fn grid(&self, steps: usize) -> Grid {
        let uniform = Grid::uniform(steps);
        let of = |time: &dyn Fn(usize) -> f64| {
            let inner = (1..steps).map(time);
            let times = std::iter::once(1.0).chain(inner).chain([0.0]).collect();
            Grid::new(times).expect("a law of falling times")
        };
        match self {
            Self::Uniform => uniform,
            Self::Shifted { shift } => of(&|i| {
                let w = uniform.times()[i];
                shift * w / (1.0 + (shift - 1.0) * w)
            }),
            Self::Edm { rho } => of(&|i| {
                let sigma = LevelGrid { rho: *rho, ..LevelGrid::PUBLISHED }.level(steps - 1 - i, steps);
                sigma / (1.0 + sigma)
            }),
            Self::Listed(grid) => grid.clone(),
        }
    }

    /// The number of steps, where it is fixed.
    pub fn steps(&self) -> Option<usize> {
        match self {
            Self::Listed(grid) => Some(grid.times().len() - 1),
            Self::Uniform | Self::Shifted { .. } | Self::Edm { .. } => None,
        }
    }

    /// Reads `key`: `"uniform"`, `{ shifted = { shift = 3.0 } }`, `{ edm = { rho = 7.0 } }`, or a list of times from 1 down to 0.
    pub fn read(r: &mut Reader, key: &'static str) -> Self {
        if r.listed(key) {
            let node = r.node(key).expect("there is a list");
            return Self::of_list(r, key, node);
        }
        let what = "a law of time grids, or a list of times";
        let law = r.either(key, what, &["uniform"], &["shifted", "edm"], "uniform", |name, r| match name {
            "shifted" => Self::Shifted { shift: r.get("shift", Number::POSITIVE, 3.0) },
            "edm" => Self::Edm { rho: r.get("rho", Number::POSITIVE, 7.0) },
            _ => Self::Uniform,
        });
        law.unwrap_or_default()
    }

    fn of_list(r: &mut Reader, key: &'static str, node: &Node) -> Self {
        let times = r.read(key, node, &List { of: Number::UNIT, empty: false });
        match whole(times) {
            Ok(grid) => Self::Listed(grid),
            Err(reason) => {
                r.fault(key, reason, Some("write falling times from 1 to 0, such as [1.0, 0.5, 0.0]"));
                Self::Uniform
            }
        }
    }

    /// Reads what [`Display`](fmt::Display) writes: `uniform`, `shifted 3`, `edm 7`, or times with commas between them.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (word, number) = text.split_once(' ').unwrap_or((text, ""));
        let positive = || {
            let number = number.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
            number.ok_or_else(|| format!("`{word}` needs a number above 0 after it"))
        };
        match word {
            "uniform" if number.is_empty() => Ok(Self::Uniform),
            "shifted" => Ok(Self::Shifted { shift: positive()? }),
            "edm" => Ok(Self::Edm { rho: positive()? }),
            _ => {
                let times: Result<Vec<f64>, _> = text.split(',').map(|time| time.trim().parse()).collect();
                let unknown = "write `uniform`, `shifted S`, `edm RHO`, or times such as 1,0.5,0";
                let times = times.map_err(|_| unknown.to_owned())?;
                whole(times).map(Self::Listed)
            }
        }
    }
}

/// The grid of these times, which go all the way.
fn whole(times: Vec<f64>) -> Result<Grid, String> {
    let grid = Grid::new(times).map_err(|error| error.to_string())?;
    let times = grid.times();
    match (times[0], times[times.len() - 1]) {
        (1.0, 0.0) => Ok(grid),
        (first, last) => Err(format!("the times go from {first} to {last}, not from 1 to 0")),
    }
}

impl fmt::Display for Spacing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uniform => f.write_str("uniform"),
            Self::Shifted { shift } => write!(f, "shifted {shift}"),
            Self::Edm { rho } => write!(f, "edm {rho}"),
            Self::Listed(grid) => {
                let times: Vec<String> = grid.times().iter().map(f64::to_string).collect();
                f.write_str(&times.join(","))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spacings() -> Vec<Spacing> {
        let listed = Spacing::Listed(Grid::new(vec![1.0, 0.3, 0.0]).unwrap());
        vec![Spacing::Uniform, Spacing::Shifted { shift: 3.0 }, Spacing::Edm { rho: 7.0 }, listed]
    }

    #[test]
    fn every_grid_goes_from_noise_to_data() {
        for spacing in spacings() {
            for steps in [1, 2, 3, 18, 200] {
                let times = spacing.grid(steps).times().to_vec();
                assert_eq!((times[0], times[times.len() - 1]), (1.0, 0.0), "{spacing}");
                assert_eq!(times.len() - 1, spacing.steps().unwrap_or(steps), "{spacing}");
            }
        }
        assert_eq!(Spacing::Shifted { shift: 1.0 }.grid(8), Grid::uniform(8));
        assert_eq!(Spacing::Shifted { shift: 3.0 }.grid(2).times(), [1.0, 0.75, 0.0]);
    }

    /// EDM's levels for 18 steps, as its table 1 gives them: the second is near 57.6, the last 0.002.
    #[test]
    fn levels_are_those_of_edm() {
        let grid = Spacing::Edm { rho: 7.0 }.grid(18);
        let sigma = |i: usize| grid.times()[i] / (1.0 - grid.times()[i]);
        let by_hand = |i: f64| {
            let (most, least) = (80f64.powf(1.0 / 7.0), 0.002f64.powf(1.0 / 7.0));
            (most + i / 17.0 * (least - most)).powi(7)
        };
        assert!(
            (sigma(1) / by_hand(1.0) - 1.0).abs() < 1e-9 && (sigma(1) - 57.586).abs() < 1e-3,
            "{}",
            sigma(1)
        );
        assert!((sigma(17) / 0.002 - 1.0).abs() < 1e-9);
    }

    #[test]
    fn spacings_are_read_as_they_are_written() {
        for spacing in spacings() {
            assert_eq!(Spacing::parse(&spacing.to_string()), Ok(spacing));
        }
        for wrong in [
            "",
            "edm",
            "edm 0",
            "shifted x",
            "uniform 2",
            "1,0.5",
            "0.5,0",
            "1,0.2,0.4,0",
            "1,nan,0",
            "other",
        ] {
            assert!(Spacing::parse(wrong).is_err(), "{wrong}");
        }
    }
}
