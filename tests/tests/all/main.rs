//! The tests that need more than one crate, in one program: linking it takes longer than running
//! most files of tests, and each program would hold all libraries and the engine. A new file of
//! tests is a module here.

mod admission;
mod differential;
mod earlier_component;
mod engine;
mod fairness;
mod faults;
mod gates;
mod gitops;
mod image;
mod injection;
mod kubectl;
mod kubewarden;
mod leader;
mod manifests;
mod many_caches;
mod mirror;
mod operator;
mod other_guest;
mod overlays;
mod ownership;
mod plots;
mod quiet_log;
mod replay;
mod rotation;
mod runtimes;
mod settings;
mod status;
mod swap;
mod upgrade;
mod wit;
mod workflow;
