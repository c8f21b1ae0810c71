//! The direction in which a network is differentiated.

use meanflow_settings::{Choice, Reader};

/// The tangent of `(z, r, t)` along which `u(z, r, t)` is differentiated: `z` moves with the velocity, and each time at the rate 1 or not at
/// all (MeanFlow, arXiv 2505.13447, table 1b). What a network is told of the times ([`Clock`](crate::Clock)) moves with them.
///
/// Along the flow `z` and `t` move and `r` stays; the derivative in any other direction is not that of the identity, and there to be
/// compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Whether `r` moves.
    pub r: bool,
    /// Whether `t` moves.
    pub t: bool,
}

impl Direction {
    /// `(v, 0, 1)`: along the flow, `v·∂_z u + ∂_t u`.
    pub const FLOW: Self = Self { r: false, t: true };

    /// Every direction, by its name in experiment files.
    pub const ALL: [(&'static str, Self); 4] = [
        ("v,0,1", Self::FLOW),
        ("v,0,0", Self { r: false, t: false }),
        ("v,1,0", Self { r: true, t: false }),
        ("v,1,1", Self { r: true, t: true }),
    ];

    /// The key `tangent`.
    pub fn read(r: &mut Reader) -> Self {
        r.get("tangent", Choice(Self::ALL.to_vec()), Self::FLOW)
    }
}
