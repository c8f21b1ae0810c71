//! Objectives of the framework, from their own files.

/// In place of the framework's `super`.
pub use meanflow::core::objective::*;

#[path = "../../../../crates/core/src/objective/alphaflow.rs"]
mod alphaflow;
#[path = "../../../../crates/core/src/objective/drifting.rs"]
mod drifting;
#[path = "../../../../crates/core/src/objective/ect.rs"]
mod ect;
#[path = "../../../../crates/core/src/objective/imm.rs"]
mod imm;
#[path = "../../../../crates/core/src/objective/meanflow.rs"]
mod meanflow_itself;
#[path = "../../../../crates/core/src/objective/shortcut.rs"]
mod shortcut;
#[path = "../../../../crates/core/src/objective/soflow.rs"]
mod soflow;
#[path = "../../../../crates/core/src/objective/tvm.rs"]
mod tvm;

#[test]
fn they_have_names() {
    let names = [
        alphaflow::AlphaflowConfig::NAME,
        drifting::DriftingConfig::NAME,
        ect::EctConfig::NAME,
        imm::ImmConfig::NAME,
        meanflow_itself::MeanFlowConfig::NAME,
        shortcut::ShortcutConfig::NAME,
        soflow::SoflowConfig::NAME,
        tvm::TvmConfig::NAME,
    ];
    assert_eq!(names, ["alphaflow", "drifting", "ect", "imm", "meanflow", "shortcut", "soflow", "tvm"]);
}
