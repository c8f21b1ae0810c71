//! Exported modules against the same modules on Flex, and what is refused.

mod common;
mod fused;
mod layers;
mod refusals;
mod values;
