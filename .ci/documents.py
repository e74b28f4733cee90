"""The JSON documents of the image, and the bills of materials of a release's archives.
`.ci/image` and `.ci/release` call this; each call prints one document.

config ARCH TAR | manifest CONFIG LAYER | index FOLDER... | sbom ARCH TARGET | provenance INDEX ARCH...
archive_sbom PROGRAM TARGET

Everything in them follows from the sources, the files that are named and the variables
SOURCE_DATE_EPOCH and IMAGE_REVISION, so that the same build prints the same bytes.
"""

import datetime
import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

SOURCE = "https://github.com/converged-computing/orascache"
# The user that admission names in pods; a name would have to be looked up in a file of the image.
USER = "65532:65532"
OCI = "application/vnd.oci.image."
# What is linked into the image: package, flags of cargo, and where it is.
PROGRAMS = [
    ("orascache-operator", ["--no-default-features"], "usr/bin/orascache"),
    ("orascache-agent", [], "usr/bin/orascache-agent"),
]
# The package of the program in an archive, which has all its features.
ARCHIVES = {"orascache": "orascache-operator", "orascache-agent": "orascache-agent"}
COMPONENT = "orascache-component"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def version():
    return run(".ci/version")


def time():
    moment = datetime.datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def digest(path):
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def descriptor(path, media_type):
    return {"mediaType": media_type, "digest": digest(path), "size": os.path.getsize(path)}


def labels():
    named = {
        "title": "OrasCache",
        "description": "OCI registries as caches for workflow artifacts: operator and agent",
        "version": version(),
        "revision": os.environ["IMAGE_REVISION"],
        "created": time(),
        "licenses": "Apache-2.0",
        "source": SOURCE,
        "documentation": SOURCE + "/blob/main/docs/install.md",
    }
    return {"org.opencontainers.image." + name: text for name, text in named.items() if text}


def config(arch, tar):
    return {
        "created": time(),
        "architecture": arch,
        "os": "linux",
        **({"variant": "v8"} if arch == "arm64" else {}),
        "config": {
            "User": USER,
            "Env": ["PATH=/usr/bin"],
            "Entrypoint": ["/usr/bin/orascache"],
            "WorkingDir": "/",
            "Labels": labels(),
        },
        "rootfs": {"type": "layers", "diff_ids": [digest(tar)]},
        "history": [{"created": time(), "created_by": ".ci/image root " + arch}],
    }


def manifest(config_file, layer):
    return {
        "schemaVersion": 2,
        "mediaType": OCI + "manifest.v1+json",
        "config": descriptor(config_file, OCI + "config.v1+json"),
        "layers": [descriptor(layer, OCI + "layer.v1.tar+gzip")],
        "annotations": labels(),
    }


def index(*folders):
    manifests = []
    for folder in map(Path, folders):
        written = json.loads((folder / "config.json").read_text())
        platform = {key: written[key] for key in ("architecture", "os", "variant") if key in written}
        manifests.append({**descriptor(folder / "manifest.json", OCI + "manifest.v1+json"), "platform": platform})
    return {
        "schemaVersion": 2,
        "mediaType": OCI + "index.v1+json",
        "manifests": manifests,
        "annotations": labels(),
    }


def linked(package, target, flags):
    """Name, version, licence of each crate that is linked into a package, without what only runs in its build."""
    edges = ["--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}\t{l}"]
    tree = run("cargo", "tree", "--locked", "--package", package, "--target", target, *edges, *flags)
    crates = set()
    for line in tree.splitlines():
        crate, licence = line.removesuffix(" (*)").split("\t")
        name, number = crate.split()[:2]
        crates.add((name, number.removeprefix("v"), licence.replace("/", " OR ")))
    return crates


def bill(subject, properties, target, programs):
    """What is in something: programs, each as package, flags of cargo, and where it is."""
    checksums = {
        (package["name"], package["version"]): package["checksum"]
        for package in tomllib.loads(Path("Cargo.lock").read_text())["package"]
        if "checksum" in package
    }
    built = [(package, target, flags, path) for package, flags, path in programs]
    # The operator has the component in it.
    for package, _, path in programs:
        if package == "orascache-operator":
            built.append((COMPONENT, "wasm32-unknown-unknown", [], "in " + path))
    reference = lambda name, number: f"{name}@{number}"
    components, dependencies = {}, []
    for package, platform, flags, path in built:
        crates = sorted(linked(package, platform, flags))
        own = reference(package, version())
        others = [reference(name, number) for name, number, _ in crates if name != package]
        dependencies.append({"ref": own, "dependsOn": others})
        for name, number, licence in crates:
            known = {"type": "library", "bom-ref": reference(name, number), "name": name, "version": number}
            if licence:
                known["licenses"] = [{"expression": licence}]
            if checksum := checksums.get((name, number)):
                known["hashes"] = [{"alg": "SHA-256", "content": checksum}]
                known["purl"] = f"pkg:cargo/{name}@{number}"
            components.setdefault(known["bom-ref"], known)
        components[own] |= {"type": "application", "description": path}
    rust = run("rustc", "--version").split()[1]
    components["std"] = {"type": "library", "bom-ref": "std", "name": "Rust standard library with musl", "version": rust}
    direct = [entry["ref"] for entry in dependencies] + ["std"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "timestamp": time(),
            "component": subject,
            "properties": [{"name": name, "value": value} for name, value in properties.items()],
        },
        "components": [components[key] for key in sorted(components)],
        "dependencies": [{"ref": subject["bom-ref"], "dependsOn": direct}, *dependencies],
    }


def sbom(arch, target):
    image = {"type": "container", "bom-ref": "image", "name": "orascache", "version": version()}
    return bill(image, {"platform": "linux/" + arch}, target, PROGRAMS)


def archive_sbom(program, target):
    name = f"{program}-{target}.tar.gz"
    archive = {"type": "file", "bom-ref": "archive", "name": name, "version": version()}
    return bill(archive, {"target": target}, target, [(ARCHIVES[program], [], program)])


def provenance(subject, *architectures):
    environment = os.environ.get
    revision = environment("IMAGE_REVISION")
    sources = {"uri": "git+" + SOURCE}
    # Changed sources are no commit.
    if revision and not revision.endswith("-dirty"):
        sources["digest"] = {"gitCommit": revision}
    lock = {"uri": "Cargo.lock", "digest": {"sha256": digest("Cargo.lock").removeprefix("sha256:")}}
    # GitHub's runner says which workflow runs; without one, whoever signs the statement is the builder.
    workflow, attempt = environment("GITHUB_WORKFLOW_REF"), environment("GITHUB_RUN_ATTEMPT")
    server, repository, run_id = (environment("GITHUB_" + name) for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    details = {"builder": {"id": f"{server}/{workflow}" if workflow else SOURCE + "/blob/main/.ci/image"}}
    if run_id:
        details["metadata"] = {"invocationId": f"{server}/{repository}/actions/runs/{run_id}/attempts/{attempt}"}
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "orascache", "digest": {"sha256": subject.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": SOURCE + "/blob/main/docs/releasing.md#the-image",
                "externalParameters": {
                    "architectures": architectures,
                    "profile": environment("IMAGE_PROFILE", "container"),
                    "version": version(),
                },
                "internalParameters": {
                    "SOURCE_DATE_EPOCH": environment("SOURCE_DATE_EPOCH"),
                    "rustc": run("rustc", "--version"),
                },
                "resolvedDependencies": [sources, lock],
            },
            "runDetails": details,
        },
    }


if __name__ == "__main__":
    documents = {made.__name__: made for made in (config, manifest, index, sbom, archive_sbom, provenance)}
    if len(sys.argv) < 3 or sys.argv[1] not in documents:
        sys.exit(__doc__)
    print(json.dumps(documents[sys.argv[1]](*sys.argv[2:]), indent=2))
