//! Annotations and media types of layers.

/// Annotation: path of the file or directory, relative to the target of the pull (OCI image-spec,
/// "Pre-Defined Annotation Keys").
pub const TITLE: &str = "org.opencontainers.image.title";

/// Annotation of directories: digest of the archive before compression (`AnnotationDigest` in
/// oras-go, `content/file`).
pub const CONTENT_DIGEST: &str = "io.deis.oras.content.digest";

/// Annotation of directories: `"true"` if a pull unpacks the archive (`AnnotationUnpack` in
/// oras-go, `content/file`).
pub const CONTENT_UNPACK: &str = "io.deis.oras.content.unpack";

/// Media type of files, the default of `oras push`.
pub const MEDIA_TYPE_FILE: &str = "application/vnd.oci.image.layer.v1.tar";

/// Media type of directories, the default of `oras push`.
pub const MEDIA_TYPE_DIRECTORY: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Media type of directories that are compressed with Zstandard (OCI image-spec, "Zstd"), which
/// `oras pull` does not unpack.
pub const MEDIA_TYPE_DIRECTORY_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
