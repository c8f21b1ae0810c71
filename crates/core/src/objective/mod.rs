//! Training objectives: what each must offer ([`Objective`]), one file each, and the list of them.

mod about;
mod contract;
mod derivative;
mod draws;
mod ect;
mod flow_matching;
mod guidance;
mod imf;
mod kinds;
mod labels;
mod meanflow;
mod reference;
mod soflow;
mod tvm;

pub use about::{About, Labels};
pub use contract::{
    At, Batch, Cost, Facts, Learns, Loss, Measure, Nets, Objective, Reduce, Rows, Tape, Teacher,
    TrainBackend, Visit, every_nth,
};
pub use draws::{Draws, GuidanceDraws};
pub use ect::{EctConfig, EctDraws};
pub use flow_matching::FlowMatchingConfig;
pub use guidance::{GuidanceConfig, interval};
pub use imf::{ImfConfig, ScaleLaw, Unconditional, Velocities};
pub use kinds::Objectives;
pub use meanflow::MeanFlowConfig;
pub use reference::{Constant, HostTensors, Reference, ReferenceError, Stub};
pub use soflow::{SoflowConfig, SoflowDraws, SoflowGuidance};
pub use tvm::{TvmConfig, TvmDraws, TvmGuidance};

pub use meanflow_jvp::Mode;

pub use labels::{condition, outer, trained};

crate::objectives! {
    /// The built-in objectives.
    pub enum ObjectiveConfig {
        FlowMatching(FlowMatchingConfig),
        MeanFlow(MeanFlowConfig),
        Imf(ImfConfig),
        Soflow(SoflowConfig),
        Ect(EctConfig),
        Tvm(TvmConfig),
    }
}
