//! Properties of the networks, in f64 on Flex.

mod common;
mod derivatives;
mod precision;
mod start;
mod structure;
mod unet;
