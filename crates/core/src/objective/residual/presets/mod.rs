//! Published methods that are a choice of options of the residual, one file each.

mod ayf;
mod esc;
mod mf_rae;
mod rcm;
pub(in crate::objective) mod scm_linear;
mod sct;
mod tim;

pub use ayf::Ayf;
pub use esc::Esc;
pub use mf_rae::MfRae;
pub use rcm::Rcm;
pub use scm_linear::ScmLinear;
pub use sct::Sct;
pub use tim::Tim;
