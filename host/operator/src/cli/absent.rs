//! What a build without the feature `workstation` says of the commands that it lacks.

/// The commands of the feature `workstation`.
pub const NAMES: [&str; 7] = ["dev", "render", "review", "replay", "migrate", "lineage", "completions"];

/// Where the commands are.
const ELSEWHERE: &str = "the archives of a release have them, and so has a build with the default features \
                         (https://github.com/converged-computing/orascache/blob/main/docs/install.md)";

/// What the help says below the commands.
pub fn note() -> String {
    format!("This build is for the cluster and lacks {}: {ELSEWHERE}.", NAMES.join(", "))
}

/// What is wrong when somebody asks for one of these commands; `None` for any other word.
pub fn sentence(command: &str) -> Option<String> {
    NAMES.contains(&command).then(|| {
        format!(
            "this build has no `{command}`: like the image, it was built without the commands for \
             workstations; {ELSEWHERE}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{NAMES, note, sentence};

    #[cfg(feature = "workstation")]
    #[test]
    fn the_names_are_those_of_the_feature() {
        use clap::Subcommand;
        let all = crate::cli::WorkstationCommand::augment_subcommands(clap::Command::new("all"));
        let names: Vec<_> = all.get_subcommands().map(clap::Command::get_name).collect();
        assert_eq!(names, NAMES);
    }

    #[test]
    fn only_commands_of_workstations_are_said_to_be_elsewhere() {
        let about_dev = sentence("dev").expect("a command of workstations");
        assert!(about_dev.starts_with("this build has no `dev`: "), "{about_dev}");
        assert!(about_dev.contains("docs/install.md") && note().contains("docs/install.md"));
        assert_eq!((sentence("run"), sentence("devel")), (None, None));
    }
}
