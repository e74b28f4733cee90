//! Settings of an administrator: which are accepted, and what the others are refused for.

use orascache_core::admission::check_settings;

fn complaint(settings: &str) -> String {
    check_settings(settings).expect_err(settings).to_string()
}

#[test]
fn usable_settings_are_accepted() {
    for settings in [
        "",
        "{}",
        r#"{"agentImage":"mirror.lab/orascache:1"}"#,
        r#"{"agentImage":null,"allowedRegistries":null}"#,
        r#"{"allowedRegistries":[]}"#,
        r#"{"allowedRegistries":["ghcr.io","*.example.org","localhost:5000","[fd00::1]:5000","*.lab:5000"]}"#,
        r#"{"allowedAgentImages":["mirror.lab/","mirror.lab:5000/team/","ghcr.io/a/b:","ghcr.io/a/b@","ghcr.io/a/b:1","localhost:5000/"]}"#,
        r#"{"allowedRegistries":["http://registry.lan:5000","http://*.example.org"]}"#,
        r#"{"allowedCaches":[]}"#,
        r#"{"allowedCaches":["team-a/shared","team-b/*"]}"#,
        r#"{"requiredAnnotations":[]}"#,
        r#"{"requiredAnnotations":[{"annotation":"oras.converged-computing.github.io/input-uri_2","namespaceSelector":{}}]}"#,
        r#"{"requiredAnnotations":[{"annotation":"cost-centre","namespaceSelector":{"matchExpressions":[{"key":"kubernetes.io/metadata.name","operator":"In","values":["lab"]}]}}]}"#,
        r#"{"gates":true}"#,
        r#"{"gates":null}"#,
        r#"{"maximumStorage":"1.5Ti"}"#,
        r#"{"clusterDomain":"cluster.local"}"#,
        r#"{"allowedImages":[],"operatorNamespace":"ops-1"}"#,
        r#"{"allowedImages":["ghcr.io/oras-project/registry","mirror.lab:5000/","registry:"]}"#,
        r#"{"proxyResources":{"requests":{"cpu":"1m","memory":"1Mi"},"limits":{"cpu":"4","memory":"64Mi"}}}"#,
        r#"{"forwardProxy":{"https":"http://proxy.lab:3128","http":"https://[fd00::1]:3128/","noProxy":["*",".lab","10.0.0.0/8","[fd00::]/8","a:5000"]}}"#,
        r#"{"forwardProxy":{}}"#,
        r#"{"registryCA":"Lab\n-----BEGIN CERTIFICATE-----\nMAQBAgME\n-----END CERTIFICATE-----\n"}"#,
        r#"{"maximumInputs":10000}"#,
        r#"{"reuse":"forbidden"}"#,
        r#"{"reuse":"digests"}"#,
        r#"{"reuse":"allowed"}"#,
        r#"{"provenance":false}"#,
        r#"{"imageConfigRegistries":["docker.io","http://registry.lan:5000"]}"#,
    ] {
        assert_eq!(check_settings(settings), Ok(()), "{settings}");
    }
}

#[test]
fn unusable_settings_are_refused_with_place_and_remedy() {
    for (settings, wanted) in [
        ("[", "settings cannot be read as JSON: "),
        ("[]", "settings must be an object, not a list"),
        (
            r#"{"imageConfigRegistries":["*.example.org"]}"#,
            "settings.imageConfigRegistries[0] is not the host of a registry with an optional port: write one like ghcr.io, with http:// in front where it has no TLS",
        ),
        (
            r#"{"imageConfigRegistries":["https://ghcr.io"]}"#,
            "settings.imageConfigRegistries[0] is not the host",
        ),
        (
            r#"{"imageConfigRegistries":["ghcr.io/team"]}"#,
            "settings.imageConfigRegistries[0] is not the host",
        ),
        (r#"{"provenance":"off"}"#, "settings.provenance must be true or false, not a string"),
        (r#"{"gates":"yes"}"#, "settings.gates must be true or false, not a string"),
        (
            r#"{"agentimage":"a"}"#,
            "settings.agentimage is unknown: write agentImage, allowedRegistries, allowedCaches, allowedAgentImages, requiredAnnotations, maximumStorage, proxyResources, clusterDomain, allowedImages, gates, operatorNamespace, forwardProxy, registryCA, maximumInputs, reuse, provenance or imageConfigRegistries, or remove it",
        ),
        (r#"{"agentImage":3}"#, "settings.agentImage must be a string, not a number"),
        (
            r#"{"agentImage":"A b"}"#,
            "settings.agentImage is \"A b\", which is not an image reference: write one like registry.example.org/name:tag",
        ),
        (r#"{"allowedRegistries":"ghcr.io"}"#, "settings.allowedRegistries must be a list, not a string"),
        (
            r#"{"allowedRegistries":["ghcr.io",1.5]}"#,
            "settings.allowedRegistries[1] must be a string, not a number with a fraction",
        ),
        (
            r#"{"allowedRegistries":["https://ghcr.io"]}"#,
            "settings.allowedRegistries[0] is not a host with an optional port: write one like ghcr.io or *.example.org, with http:// in front where credentials may travel without TLS",
        ),
        (r#"{"allowedRegistries":["*"]}"#, "settings.allowedRegistries[0] is not a host"),
        (r#"{"allowedRegistries":["a.*.org"]}"#, "settings.allowedRegistries[0] is not a host"),
        (r#"{"allowedRegistries":["ghcr.io/team"]}"#, "settings.allowedRegistries[0] is not a host"),
        (
            r#"{"allowedAgentImages":["/"]}"#,
            "settings.allowedAgentImages[0] is not an image or the beginning of one that ends with '/', ':' or '@'",
        ),
        (r#"{"allowedAgentImages":["lab.example/*"]}"#, "settings.allowedAgentImages[0] is not an image"),
        (
            r#"{"allowedCaches":["shared"]}"#,
            "settings.allowedCaches[0] is not a cache of a namespace: write it like team-a/shared, or team-a/* for all of its caches",
        ),
        (r#"{"allowedCaches":["*/shared"]}"#, "settings.allowedCaches[0] is not a cache"),
        (r#"{"allowedCaches":["a/b/c"]}"#, "settings.allowedCaches[0] is not a cache"),
        (r#"{"allowedCaches":["A/b"]}"#, "settings.allowedCaches[0] is not a cache"),
        (r#"{"allowedRegistries":["http://"]}"#, "settings.allowedRegistries[0] is not a host"),
        (r#"{"allowedRegistries":["*.http://a"]}"#, "settings.allowedRegistries[0] is not a host"),
        (r#"{"requiredAnnotations":{}}"#, "settings.requiredAnnotations must be a list, not an object"),
        (
            r#"{"requiredAnnotations":[{}]}"#,
            "settings.requiredAnnotations[0].annotation is missing: write the whole key, like oras.converged-computing.github.io/output-uri",
        ),
        (
            r#"{"requiredAnnotations":[{"annotation":"oras.converged-computing.github.io/output-url"}]}"#,
            "settings.requiredAnnotations[0].annotation is not an annotation that a step can have",
        ),
        (
            r#"{"requiredAnnotations":[{"annotation":"a b"}]}"#,
            "settings.requiredAnnotations[0].annotation is not an annotation",
        ),
        (
            r#"{"requiredAnnotations":[{"annotation":"a","namespaces":[]}]}"#,
            "settings.requiredAnnotations[0].namespaces is unknown: write annotation or namespaceSelector",
        ),
        (
            r#"{"requiredAnnotations":[{"annotation":"a","namespaceSelector":{"matchLabels":{"a":true}}}]}"#,
            "settings.requiredAnnotations[0].namespaceSelector.matchLabels.a must be a string, not a boolean",
        ),
        (r#"{"maximumStorage":"big"}"#, "settings.maximumStorage is not a size: write one like 100Gi"),
        (r#"{"maximumStorage":"0"}"#, "settings.maximumStorage is not a size"),
        (r#"{"maximumStorage":100}"#, "settings.maximumStorage must be a string, not a number"),
        (
            r#"{"clusterDomain":".cluster.local"}"#,
            "settings.clusterDomain is not a DNS domain: write one like cluster.local",
        ),
        (
            r#"{"operatorNamespace":"a.b"}"#,
            "settings.operatorNamespace is not the name of a namespace: write one like orascache-system",
        ),
        (
            r#"{"allowedImages":["registry:3","lab.example/*"]}"#,
            "settings.allowedImages[1] is not an image or the beginning of one that ends with '/', ':' or '@'",
        ),
        (r#"{"clusterDomain":true}"#, "settings.clusterDomain must be a string, not a boolean"),
        (
            r#"{"requiredAnnotations":[{"annotation":"output-uri"}]}"#,
            "settings.requiredAnnotations[0].annotation is not an annotation that a step can have: write the whole key, like oras.converged-computing.github.io/output-uri",
        ),
        (
            r#"{"requiredAnnotations":[{"annotation":"oras.converged-computing.io/output-uri"}]}"#,
            "settings.requiredAnnotations[0].annotation is not an annotation that a step can have",
        ),
        (
            r#"{"forwardProxy":{"ftp":"x"}}"#,
            "settings.forwardProxy.ftp is unknown: write https, http or noProxy, or remove it",
        ),
        (
            r#"{"forwardProxy":{"https":"proxy.lab:3128"}}"#,
            "settings.forwardProxy.https is not the address of a proxy: write one like http://proxy.example.org:3128",
        ),
        (r#"{"forwardProxy":{"http":"socks5://a:1"}}"#, "settings.forwardProxy.http is not the address"),
        (
            r#"{"forwardProxy":{"https":"http://joe:hunter2@proxy.lab:3128"}}"#,
            "settings.forwardProxy.https holds user or password",
        ),
        (
            r#"{"forwardProxy":{"noProxy":"a,b"}}"#,
            "settings.forwardProxy.noProxy must be a list, not a string",
        ),
        (
            r#"{"forwardProxy":{"noProxy":["a,b"]}}"#,
            "settings.forwardProxy.noProxy[0] is not a host, a domain, an address or a network",
        ),
        (r#"{"registryCA":["x"]}"#, "settings.registryCA must be a string, not a list"),
        (
            r#"{"registryCA":"x"}"#,
            "settings.registryCA holds no certificate: write it in PEM, which begins with -----BEGIN CERTIFICATE-----",
        ),
        (
            r#"{"registryCA":"-----BEGIN PRIVATE KEY-----\nMAQBAgME\n-----END PRIVATE KEY-----"}"#,
            "settings.registryCA holds a private key",
        ),
        (r#"{"maximumInputs":0}"#, "settings.maximumInputs must be a whole number from 1 to 10000"),
        (r#"{"maximumInputs":10001}"#, "settings.maximumInputs must be a whole number"),
        (r#"{"maximumInputs":"5"}"#, "settings.maximumInputs must be a whole number"),
        (r#"{"reuse":"never"}"#, "settings.reuse is unknown: write allowed, digests or forbidden"),
        (
            r#"{"proxyResources":{"claims":[]}}"#,
            "settings.proxyResources.claims is unknown: write requests or limits, or remove it",
        ),
        (
            r#"{"proxyResources":{"limits":{"gpu":"1"}}}"#,
            "settings.proxyResources.limits.gpu is unknown: write cpu or memory, or remove it",
        ),
        (
            r#"{"proxyResources":{"limits":{"cpu":"much"}}}"#,
            "settings.proxyResources.limits.cpu is not a quantity: write one like 50m",
        ),
        (
            r#"{"proxyResources":{"limits":{"memory":"32Mi"}}}"#,
            "settings.proxyResources asks for more than its limits",
        ),
    ] {
        let found = complaint(settings);
        assert!(found.starts_with(wanted) && !found.contains("; "), "{settings}: {found}");
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let found = complaint(r#"{"maximumStorage":"x","allowedRegistries":["a b","c d"],"other":1}"#);
    assert_eq!(found.split("; ").count(), 4, "{found}");
}

#[test]
fn messages_do_not_repeat_strings_that_may_be_passwords() {
    let found = complaint(
        r#"{"allowedRegistries":["user:Pa55word@ghcr.io"],"allowedAgentImages":["user:Pa55word@ghcr.io/"],"forwardProxy":{"https":"http://user:Pa55word@proxy.lab:1","http":"Pa55word"}}"#,
    );
    assert!(!found.contains("Pa55word"), "{found}");
}
