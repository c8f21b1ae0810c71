//! Properties of the networks, in f64 on Flex.

mod common;
mod derivatives;
mod precision;
mod structure;
mod unet;
