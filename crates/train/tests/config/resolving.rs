//! resolving
