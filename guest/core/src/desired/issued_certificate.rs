//! The certificate of a registry that cert-manager issues.

use super::{Child, registry_service_name};
use crate::json::Json;
use crate::kinds::CERTIFICATE;
use crate::primary::Primary;

/// The Certificate of a cache whose spec names an issuer. The registry reads its Secret at its
/// start, so that a new key is as good as the former one.
pub(crate) fn issued_certificate<'a>(
    primary: &'a Primary<'a>,
    cluster_domain: Option<&str>,
) -> Option<Child<'a>> {
    let tls = primary.spec.tls.filter(|_| primary.spec.deploy())?;
    let issuer = tls.issuer?;
    let texts = |texts: Vec<String>| Some(Json::Array(texts.into_iter().map(Json::from).collect()));
    let spec = Json::object([
        ("dnsNames", texts(super::dns_names(primary, cluster_domain))),
        (
            "issuerRef",
            Some(Json::object([
                ("group", Some(issuer.group().into())),
                ("kind", Some(issuer.kind().into())),
                ("name", Some(issuer.name.into())),
            ])),
        ),
        (
            "privateKey",
            Some(Json::object([
                ("algorithm", Some("ECDSA".into())),
                ("rotationPolicy", Some("Always".into())),
                ("size", Some(256.into())),
            ])),
        ),
        ("secretName", Some(tls.secret(&primary.metadata).into())),
        ("usages", texts(["digital signature", "server auth"].map(str::to_owned).into())),
    ]);
    let name = registry_service_name(primary).into();
    Some(Child::new(primary, &CERTIFICATE, name, [("spec", spec)]))
}
