//! The program `meanflow` with kinds of one's own: a network, an objective, a data set and a metric, a file each.
//! `docs/extending.md` walks through them.

mod brightness;
mod huber_flow;
mod log_cosh;
mod mixer;
mod shapes;

use huber_flow::HuberFlowConfig;
use log_cosh::LogCoshConfig;
use meanflow::{
    BuiltIn, Kinds,
    core::{
        objective::{FlowMatchingConfig, MeanFlowConfig},
        objectives,
    },
    data::Kind,
    metrics::Metric,
    nets::{Dit, DitConfig, SongUnet, UnetConfig, networks},
};
use mixer::{Mixer, MixerConfig};
use std::process::ExitCode;

networks! {
    /// The networks of this program: two of the framework, and the mixer.
    pub enum Net => AnyNet {
        Dit(DitConfig => Dit),
        Unet(UnetConfig => SongUnet),
        Mixer(MixerConfig => Mixer),
    }
}

objectives! {
    /// The objectives of this program.
    pub enum Objective {
        FlowMatching(FlowMatchingConfig),
        MeanFlow(MeanFlowConfig),
        HuberFlow(HuberFlowConfig),
        LogCosh(LogCoshConfig),
    }
}

/// What the experiment files of this program can name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Own;

impl Kinds for Own {
    type Net = Net;
    type Objective = Objective;

    fn data() -> Vec<&'static Kind> {
        [BuiltIn::data(), vec![&shapes::KIND]].concat()
    }

    fn metrics() -> Vec<Metric> {
        [BuiltIn::metrics(), vec![Metric(&brightness::Brightness)]].concat()
    }
}

fn main() -> ExitCode {
    meanflow::main::<Own>()
}
