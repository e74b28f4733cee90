//! What the host learns when it loads the guest. The webhook configurations are built from it.

#[test]
fn the_description_is_as_reviewed() {
    insta::assert_json_snapshot!(orascache_core::describe());
}
