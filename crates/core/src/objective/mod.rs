//! Training objectives: what each must offer ([`Objective`]), one file each, and the list of them.

mod about;
mod alphaflow;
pub mod consistency;
mod contract;
pub mod coupling;
mod ct;
pub mod derivative;
mod distillation;
mod dmf;
mod draws;
mod drifting;
mod ect;
mod facm;
pub mod flow_matching;
mod flowmap;
mod guidance;
pub mod host;
mod ict;
mod imf;
mod imm;
mod kinds;
pub mod labels;
mod meanflow;
pub mod reference;
pub mod residual;
mod shortcut;
mod soflow;
mod tvm;

pub use about::{About, Labels};
pub use alphaflow::{AlphaSchedule, AlphaflowConfig, AlphaflowDraws};
pub use consistency::LevelDraws;
pub use contract::{
    At, Batch, Cost, Facts, Group, Learns, Loss, Measure, Nets, Objective, Reduce, Rows, Tape, Teacher,
    TrainBackend, Visit, every_nth,
};
pub use coupling::Coupling;
pub use ct::{CtConfig, CtWeighting, Norm};
pub use distillation::{Distillation, LevelStep};
pub use dmf::{DmfConfig, DmfDraws};
pub use draws::{Draws, GuidanceDraws};
pub use drifting::{DriftingConfig, DriftingDraws};
pub use ect::EctConfig;
pub use facm::{Anchor, FacmConfig};
pub use flow_matching::FlowMatchingConfig;
pub use flowmap::{
    Esd, FlowMapConfig, FlowMapDraws, Lsd, Moved, Progressive, Psd, Residual, Spatial, Split, SplitMeanflow,
    Taught,
};
pub use guidance::{GuidanceConfig, interval};
pub use ict::{Huber, IctConfig};
pub use imf::{ImfConfig, ScaleLaw, Unconditional, Velocities};
pub use imm::{ImmConfig, ImmDraws};
pub use kinds::Objectives;
pub use meanflow::MeanFlowConfig;
pub use reference::{Constant, HostTensors, Reference, ReferenceError, Stub};
pub use residual::{
    Derivative, Direction, Preset,
    presets::{Ayf, Esc, MfRae, Rcm, ScmLinear, Sct, Tim},
};
pub use shortcut::{ShortcutConfig, ShortcutDraws};
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
        Ct(CtConfig),
        Ict(IctConfig),
        Shortcut(ShortcutConfig),
        Alphaflow(AlphaflowConfig),
        SplitMeanflow(FlowMapConfig<SplitMeanflow>),
        FlowmapPsd(FlowMapConfig<Psd>),
        FlowmapLsd(FlowMapConfig<Lsd>),
        FlowmapEsd(FlowMapConfig<Esd>),
        Imm(ImmConfig),
        Drifting(DriftingConfig),
        ScmLinear(Preset<ScmLinear>),
        MfRae(Preset<MfRae>),
        Tim(Preset<Tim>),
        Esc(Preset<Esc>),
        Ayf(Preset<Ayf>),
        Sct(Preset<Sct>),
        Rcm(Preset<Rcm>),
        Facm(FacmConfig),
        Dmf(DmfConfig),
    }
}
