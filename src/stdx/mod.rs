//! (stdx)
