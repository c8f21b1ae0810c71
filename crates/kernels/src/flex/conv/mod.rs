//! Convolutions that keep the image's size, straight from images in the order channel, row, column.
//!
//! An image is copied once into a frame of zeros. In the frame, a tap of the kernel is a fixed distance, so an output is a sum of
//! products of the frame at fixed distances from a place, whatever row it is in: no matrix of patches is made.

mod forward;
mod frame;
mod tile;
mod weight_gradient;

pub(crate) use forward::{Weight, convolve};
pub(crate) use frame::Frame;
pub(crate) use weight_gradient::weight_gradient;
