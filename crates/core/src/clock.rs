//! Which numbers a network is told of its two times.

use burn::tensor::{Tensor, backend::Backend};
use meanflow_settings::{Choice, Reader};

/// The numbers that a network embeds for the times `r ≤ t` (MeanFlow, arXiv 2505.13447, table 1c).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Clock {
    /// `t` and `h = t − r`, the published choice.
    #[default]
    TimeAndGap,
    /// `t` and `r`.
    BothTimes,
    /// `t`, `r` and `h`.
    AllThree,
    /// `h` alone.
    Gap,
    /// `t` alone, for networks with one time.
    Time,
}

impl Clock {
    /// Every clock, by its name in experiment files.
    pub const ALL: [(&'static str, Self); 5] = [
        ("t,h", Self::TimeAndGap),
        ("t,r", Self::BothTimes),
        ("t,r,h", Self::AllThree),
        ("h", Self::Gap),
        ("t", Self::Time),
    ];

    /// The key `clock` of a network.
    pub fn read(r: &mut Reader) -> Self {
        r.get("clock", Choice(Self::ALL.to_vec()), Self::default())
    }

    /// Names of its numbers, in their order.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::TimeAndGap => &["t", "h"],
            Self::BothTimes => &["t", "r"],
            Self::AllThree => &["t", "r", "h"],
            Self::Gap => &["h"],
            Self::Time => &["t"],
        }
    }

    /// How many numbers it tells.
    pub fn count(self) -> usize {
        self.names().len()
    }

    /// Those numbers of the times `r` and `t`, `[batch]` each.
    pub fn numbers<B: Backend>(self, r: Tensor<B, 1>, t: Tensor<B, 1>) -> Vec<Tensor<B, 1>> {
        match self {
            Self::TimeAndGap => vec![t.clone(), t - r],
            Self::BothTimes => vec![t, r],
            Self::AllThree => vec![t.clone(), r.clone(), t - r],
            Self::Gap => vec![t - r],
            Self::Time => vec![t],
        }
    }
}
