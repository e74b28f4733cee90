//! Reads YAML within limits.

use serde::Deserialize;

/// Reads one document. The limits on its size are those of a list of everything in a large cluster;
/// what aliases may become stays limited as it is.
pub(super) fn yaml<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, serde_saphyr::Error> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_nodes: 20_000_000,
            max_events: 40_000_000,
            max_total_scalar_bytes: 1 << 30,
        },
    };
    serde_saphyr::from_str_with_options(text, options)
}

#[cfg(test)]
mod tests {
    use super::yaml;
    use serde::de::IgnoredAny;

    #[test]
    fn a_list_of_a_whole_cluster_is_not_too_large() {
        let list = format!("items: [{}]", "a, ".repeat(300_000));
        assert!(yaml::<IgnoredAny>(&list).is_ok());
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for (name, below) in ('b'..='i').zip('a'..='h') {
            text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{below}"); 10].join(", ")));
        }
        assert!(yaml::<IgnoredAny>(&text).is_err());
    }
}
