//! What a run is scored against.

/// Values of real images that samples are compared with at most, 256 MiB: a set on disk may be of any size.
pub const COMPARED: usize = 64 << 20;

/// Shape of a point of the plane.
pub const POINT: [usize; 3] = [2, 1, 1];

/// As many real samples as a run is compared with, if there are so many. Points are scored against as many points as
/// `samples`; images against every one that there is to compare with.
pub fn most_compared(shape: [usize; 3], samples: usize) -> usize {
    if shape == POINT { samples } else { COMPARED / shape.iter().product::<usize>() }
}
