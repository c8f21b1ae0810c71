//! The tests of the flow mathematics, in one binary: its tensors are f64 by default.

mod another_point;
mod common;
mod constant;
mod costs;
mod distillation;
mod draws;
mod dropout;
mod flow_matching;
mod gaussian;
mod gradients;
mod grid;
mod guidance;
mod imf;
mod interpolant;
mod meanflow;
mod naive;
mod network;
mod orders;
mod random;
mod residual;
mod solvers;
mod weight;
