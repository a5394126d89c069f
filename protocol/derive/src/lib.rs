//! The codec derive.
