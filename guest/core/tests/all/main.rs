//! The integration tests of the core in one program: linking a program takes longer than running
//! most files of tests, and each would hold all libraries. A new file of tests is a module here.

mod reviewing;
mod rotating;
mod steps;
mod world;

mod certificate_rotation;
mod certificates;
mod collection;
mod consent;
mod describe;
mod diagnosis;
mod earlier_versions;
mod field_walk;
mod fields;
mod former;
mod gates;
mod image_questions;
mod jobs_without_pods;
mod real_registry;
mod reconcile;
mod reconcile_settings;
mod render;
mod reviews;
mod rotation;
mod security_admission;
mod security_copies;
mod security_gates;
mod security_json;
mod security_limits;
mod security_network;
mod security_serving;
mod security_task_runs;
mod security_tasks;
mod security_upgrade;
mod serving;
mod settings;
mod step_flags;
mod task_runs;
mod tasks;
mod updates;
mod zot;
