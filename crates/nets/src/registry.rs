//! The built-in networks: one line each.

use crate::{Dit, DitConfig, ImfDit, ImfDitConfig, Mlp, MlpConfig, SongUnet, UnetConfig};

crate::networks! {
    /// The built-in networks.
    pub enum NetConfig => AnyNet {
        Dit(DitConfig => Dit),
        ImfDit(ImfDitConfig => ImfDit),
        Unet(UnetConfig => SongUnet),
        Mlp(MlpConfig => Mlp),
    }
}
