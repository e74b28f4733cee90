//! The program in workflow pods.
fn main() {}
