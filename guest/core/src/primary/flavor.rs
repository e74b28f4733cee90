//! `spec.flavor`: which program the image of a registry is.

/// A program that serves artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    /// The distribution registry, which variables configure.
    Distribution,
    /// zot, which a file configures.
    Zot,
}

impl Flavor {
    /// All flavours, with their names.
    const NAMES: [(&'static str, Flavor); 2] = [("distribution", Flavor::Distribution), ("zot", Flavor::Zot)];

    /// The flavour with a name.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, flavor)| flavor)
    }

    /// The flavour that the name of an image suggests. zot's images are called `zot`,
    /// `zot-linux-amd64`, `zot-minimal` and so on, in any registry.
    pub(crate) fn of_image(image: &str) -> Self {
        let path = image.split('@').next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let name = last.split(':').next().unwrap_or_default();
        if name == "zot" || name.starts_with("zot-") { Flavor::Zot } else { Flavor::Distribution }
    }
}

#[cfg(test)]
mod tests {
    use super::Flavor;

    #[test]
    fn the_flavour_is_guessed_from_the_last_part_of_an_image() {
        for image in ["zot", "ghcr.io/project-zot/zot-linux-amd64:v2.1.6", "localhost:5000/zot:1@sha256:a"] {
            assert_eq!(Flavor::of_image(image), Flavor::Zot, "{image}");
        }
        for image in ["registry:2", "ghcr.io/zot/registry", "ghcr.io/lab/zotero:1", "a.example/registry@zot"]
        {
            assert_eq!(Flavor::of_image(image), Flavor::Distribution, "{image}");
        }
    }
}
