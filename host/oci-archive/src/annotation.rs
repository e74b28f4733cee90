//! Names that layers are described with.

/// Annotation: name of the file or directory, relative to where the artifact is pulled to. From the OCI image
/// specification's pre-defined annotation keys.
pub const TITLE: &str = "org.opencontainers.image.title";

/// Annotation of directories: digest of the archive before compression. `AnnotationDigest` in oras-go's
/// `content/file`.
pub const CONTENT_DIGEST: &str = "io.deis.oras.content.digest";

/// Annotation of directories: `"true"` if the archive is to be unpacked when it is pulled. `AnnotationUnpack` in
/// oras-go's `content/file`.
pub const CONTENT_UNPACK: &str = "io.deis.oras.content.unpack";

/// Media type of files. Default of `oras push`.
pub const MEDIA_TYPE_FILE: &str = "application/vnd.oci.image.layer.v1.tar";

/// Media type of directories. Default of `oras push`.
pub const MEDIA_TYPE_DIRECTORY: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
