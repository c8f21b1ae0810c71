//! Periods as values of keys, counted in steps.

use crate::{
    period::{Every, PeriodError, Unit},
    scalar::{Scalar, Wrong, quote},
    tree::{Node, Value},
};

/// Up to here every step has a number of its own in an `f64`.
const MOST_STEPS: u64 = 1 << 53;

/// A period that is counted in steps.
#[derive(Clone, Copy, Debug)]
pub struct Steps {
    /// Samples of a step.
    pub batch: usize,
    /// Samples of an epoch, if known.
    pub items: Option<usize>,
    /// The fewest steps.
    pub least: u64,
}

/// A period and how many steps it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// As it was written.
    pub every: Every,
    /// The same in steps.
    pub steps: u64,
}

impl Length {
    /// Of so many steps.
    pub fn steps(steps: u64) -> Self {
        Self { every: Every::steps(steps), steps }
    }
}

impl Scalar for Steps {
    type Out = Length;

    fn expected(&self) -> String {
        match self.least {
            0 => "a period".into(),
            least => format!("a period of at least {least} {}", if least == 1 { "step" } else { "steps" }),
        }
    }

    fn read(&self, node: &Node) -> Result<Length, Wrong> {
        let every = Period.read(node)?;
        let steps = every
            .in_steps(self.batch, self.items)
            .map_err(|error| Wrong::Because(error.to_string(), Every::GRAMMAR.into()))?;
        match steps {
            steps if steps < self.least => Err(Wrong::Must(format!("be at least {} steps", self.least))),
            steps if steps > MOST_STEPS => Err(Wrong::Must(format!("be at most {MOST_STEPS} steps"))),
            steps => Ok(Length { every, steps }),
        }
    }

    fn show(&self, length: &Length) -> String {
        Period.show(&length.every)
    }

    fn blank(&self) -> Length {
        Length::steps(1)
    }
}

/// A period as it is written; an integer counts steps.
#[derive(Clone, Copy, Debug)]
pub struct Period;

impl Scalar for Period {
    type Out = Every;

    fn expected(&self) -> String {
        "a period".into()
    }

    fn read(&self, node: &Node) -> Result<Every, Wrong> {
        match &node.value {
            Value::Integer(steps) if *steps < 0 => Err(Wrong::Must("be at least 0".into())),
            Value::Integer(steps) => Ok(Every { count: *steps as f64, unit: Unit::Steps }),
            Value::String(text) => text
                .parse()
                .map_err(|error: PeriodError| Wrong::Because(error.to_string(), Every::GRAMMAR.into())),
            _ => Err(Wrong::Type("a period".into())),
        }
    }

    fn show(&self, every: &Every) -> String {
        quote(&every.to_string())
    }

    fn blank(&self) -> Every {
        Every::steps(1)
    }
}
