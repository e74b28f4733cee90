"""Runs Helm's engine for the tests of the chart: `helm.py COMMAND`, with JSON on standard input and
JSON on standard output."""

import json
import os
import sys
import tempfile

# Nothing of the user's own Helm is read or written.
HOME = tempfile.mkdtemp()
for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "HOME"):
    os.environ[name] = HOME

import helm_python as helm  # noqa: E402


def lint(chart, cases):
    """The messages for each case of values, with warnings."""
    return [helm.lint(chart, case["values"], strict=True, namespace=case["namespace"]) for case in cases]


def render(chart, cases):
    """The files for each case of values, or why there are none."""
    answers = []
    with helm.Chart.load(chart) as loaded:
        for case in cases:
            try:
                values = loaded.merge_values(case["values"])
                loaded.validate_schema(values)
                name = case.get("name", "orascache")
                answers.append({"files": loaded.render(case["values"], name=name, namespace=case["namespace"])})
            except helm.HelmError as error:
                answers.append({"error": str(error)})
    return answers


def registry(chart, host, folder):
    """Packages the chart, pushes it to a registry without TLS, and pulls it from there."""
    archive = helm.package(chart, destination=folder)
    pulled = os.path.join(folder, "pulled")
    os.makedirs(pulled)
    with helm.RegistryClient(plain_http=True) as client:
        client.push(archive, f"oci://{host}/charts", plain_http=True)
        tags = client.tags(f"{host}/charts/orascache")
        version = os.path.basename(archive)[len("orascache-") : -len(".tgz")]
        client.pull(f"oci://{host}/charts/orascache", version=version, destination=pulled, plain_http=True)
    helm.expand(folder, os.path.join(pulled, os.path.basename(archive)))
    return {"tags": tags, "digests": [helm.digest(archive), helm.digest(os.path.join(pulled, os.path.basename(archive)))]}


def release(kubeconfig, namespace, steps):
    """Runs steps with one release, each a method with its arguments, and returns what they return."""
    answers = []
    with helm.Config(kubeconfig_path=kubeconfig, namespace=namespace) as config:
        for step in steps:
            try:
                answer = getattr(config, step["do"])(*step["with"], **step.get("options", {}))
                answers.append({"done": answer})
            except helm.HelmError as error:
                answers.append({"error": str(error)})
    return answers


command = {"lint": lint, "render": render, "registry": registry, "release": release}[sys.argv[1]]
json.dump(command(**json.load(sys.stdin)), sys.stdout)
