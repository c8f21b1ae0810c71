//! The operations of the backend, one file for each of Burn's traits.

mod activation;
mod bool;
mod deform_conv;
mod float;
mod forward;
mod int;
mod layer_norm;
mod module;
mod quantized;
mod table;
mod transaction;
