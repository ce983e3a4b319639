"""The chart as helm renders it: valid for Kubernetes, and what it starts and sets is what there is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

import activity_aggregates
from activity_aggregates.configuration import load
from activity_aggregates.settings import Settings
from jobs.__main__ import command_of, parser_of
from scripts.embedded.paths import CHECKOUT

CHART = CHECKOUT / "deploy" / "kubernetes"
JOBS = ["--set", "settings.cassandra.contact_points={cassandra}"]
TRUSTING = [*JOBS, "--set", "settings.api.issuer=https://login"]
MINIMAL = [*TRUSTING, "--set", "api.filesSecret=keys"]
EXAMPLE = ["--values", str(CHART / "example.yaml")]
COMMAND = {"name": "backfill", "arguments": ["backfill", "/etc/activity-aggregates/files/a.yaml"], "filesSecret": "a"}
RENDERINGS = {
    "minimal": MINIMAL,
    "example": EXAMPLE,
    "a-command": [*EXAMPLE, "--set-json", f"command={json.dumps(COMMAND)}"],
    "s3a": [*MINIMAL, "--set", "runDirectory.enabled=false", "--set", "settings.staging.dir=s3a://lake/runs"],
    "jobs-alone": [*JOBS, "--set", "api.enabled=false"],
}
OLDEST, NEWEST = "1.29", "1.37"  # what the chart asks for; the newest that there are schemas of

Manifest = dict[str, Any]


def helm(tools: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A helm that Go has built does not know its own version of Kubernetes, so it is told one."""
    command: list[str | Path] = [tools / "bin" / "helm", *arguments, "--kube-version", OLDEST]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def rendered(kubernetes_tools: Path) -> Mapping[str, list[Manifest]]:
    """What each choice of values makes, hooks too."""
    made = {}
    for name, values in RENDERINGS.items():
        ended = helm(kubernetes_tools, "template", "aggregates", str(CHART), "--namespace", "learning", *values)
        assert ended.returncode == 0, ended.stderr
        made[name] = [manifest for manifest in yaml.safe_load_all(ended.stdout) if manifest]
    return made


def of_kind(manifests: list[Manifest], *kinds: str) -> Iterator[Manifest]:
    yield from (manifest for manifest in manifests if manifest["kind"] in kinds)


def jobs(manifests: list[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The names and specifications of jobs, those of schedules too."""
    for manifest in of_kind(manifests, "Job", "CronJob"):
        specification = manifest["spec"]
        yield manifest["metadata"]["name"], specification.get("jobTemplate", manifest)["spec"]


def pods(manifests: list[Manifest]) -> Iterator[Manifest]:
    """The specifications of all pods, executors among them."""
    yield from (job["template"]["spec"] for _, job in jobs(manifests))
    yield from (deployment["spec"]["template"]["spec"] for deployment in of_kind(manifests, "Deployment"))
    yield from (pod["spec"] for pod in executors(manifests))


def executors(manifests: list[Manifest]) -> Iterator[Manifest]:
    for manifest in of_kind(manifests, "ConfigMap"):
        if text := manifest["data"].get("executor.yaml"):
            template = yaml.safe_load(text)
            yield template | {"metadata": {"name": "exec-1", **template["metadata"]}}  # as Spark names it


def test_helm_finds_nothing_to_say_about_the_chart(kubernetes_tools: Path) -> None:
    ended = helm(kubernetes_tools, "lint", "--strict", str(CHART), *EXAMPLE)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 chart(s) linted, 0 chart(s) failed" in ended.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_all_that_is_rendered_is_valid(
    rendered: Mapping[str, list[Manifest]], kubernetes_tools: Path, tmp_path: Path, version: str
) -> None:
    manifests = [manifest for made in rendered.values() for manifest in [*made, *executors(made)]]
    known = {yaml.safe_dump(manifest): manifest for manifest in manifests if manifest["kind"] != "ServiceMonitor"}
    (tmp_path / "rendered.yaml").write_text("---\n".join(known))
    validate: list[str | Path] = [
        kubernetes_tools / "venv" / "bin" / "kubernetes-validate",
        "--strict",
        "-k",
        version,
        tmp_path / "rendered.yaml",
    ]
    ended = subprocess.run(validate, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert {manifest["kind"] for manifest in known.values()} >= {
        "CronJob",
        "Job",
        "Deployment",
        "PodDisruptionBudget",
        "Pod",
    }


def test_the_service_monitor_is_what_the_operator_of_prometheus_declares(
    rendered: Mapping[str, list[Manifest]], kubernetes_tools: Path
) -> None:
    (declared,) = yaml.safe_load((kubernetes_tools / "servicemonitors.yaml").read_text())["spec"]["versions"]
    (monitor,) = of_kind(rendered["example"], "ServiceMonitor")
    validate = "import json, jsonschema, sys; jsonschema.validate(*json.load(sys.stdin))"
    given = json.dumps([monitor, closed(declared["schema"]["openAPIV3Schema"])])
    python: list[str | Path] = [kubernetes_tools / "venv" / "bin" / "python", "-c", validate]
    ended = subprocess.run(python, input=given, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    (service,) = of_kind(rendered["example"], "Service")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {endpoint["port"] for endpoint in monitor["spec"]["endpoints"]} == {"metrics"}


def closed(schema: Any) -> Any:
    """With no other properties than those that are declared; Kubernetes itself would drop them without a word."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    within = {key: closed(part) for key, part in schema.items()}
    is_object = isinstance(within.get("properties"), dict) and "type" in within
    return (
        within | {"additionalProperties": False} if is_object and within["properties"].get("kind") is None else within
    )


@pytest.mark.parametrize("name", RENDERINGS)
def test_the_settings_are_those_of_the_job_and_its_commands_can_be_read(
    rendered: Mapping[str, list[Manifest]], tmp_path: Path, name: str
) -> None:
    for manifest in of_kind(rendered[name], "ConfigMap"):
        if text := manifest["data"].get("settings.yaml"):
            (tmp_path / "settings.yaml").write_text(text)
    for job_name, job in jobs(rendered[name]):
        (container,) = job["template"]["spec"]["containers"]
        command, *arguments = container["args"]
        parsed = parser_of(command, command_of([command])).parse_args(arguments)
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        assert {str(conf.parent) for conf in parsed.conf} <= mounts, job_name
        settings = in_the_pod(tmp_path / "settings.yaml", container)
        assert settings.spark.master.startswith("k8s://") == (name in ("example", "a-command") and command != "migrate")


def in_the_pod(path: Path, container: Manifest) -> Settings:
    """The settings as the container sees them, once Kubernetes has filled in its address."""
    given = {entry["name"]: entry["value"] for entry in container["env"] or [] if "value" in entry}
    filled = {key: value.replace("$(POD_IP)", "10.1.2.3").replace("$(POD_NAME)", "p") for key, value in given.items()}
    return load(path, filled, {}).settings


def test_the_driver_tells_spark_of_its_pod_and_of_its_executors(
    rendered: Mapping[str, list[Manifest]], tmp_path: Path
) -> None:
    (tmp_path / "settings.yaml").write_text("{}")
    jobs_by_name = dict(jobs(rendered["example"]))
    pod = jobs_by_name["aggregates-activity-aggregates-full"]["template"]["spec"]
    spark = in_the_pod(tmp_path / "settings.yaml", pod["containers"][0]).spark.conf
    assert (spark["spark.driver.host"], spark["spark.executor.instances"]) == ("10.1.2.3", 4)
    assert spark["spark.kubernetes.container.image"] == pod["containers"][0]["image"]
    (role,) = of_kind(rendered["example"], "Role")
    (binding,) = of_kind(rendered["example"], "RoleBinding")
    assert pod["serviceAccountName"] == binding["subjects"][0]["name"]
    assert "pods" in role["rules"][0]["resources"]
    (executor,) = executors(rendered["example"])
    shared = [volume for volume in pod["volumes"] if volume["name"] == "runs"]
    assert [volume for volume in executor["spec"]["volumes"] if volume["name"] == "runs"] == shared
    assert "persistentVolumeClaim" in shared[0]


def test_exit_codes_that_need_a_person_end_a_job_for_good(rendered: Mapping[str, list[Manifest]]) -> None:
    for name, job in jobs(rendered["minimal"]):
        assert job["backoffLimit"] > 0
        assert job["template"]["spec"]["restartPolicy"] == "Never", name
        actions = {rule["action"]: rule for rule in job["podFailurePolicy"]["rules"]}
        assert actions["FailJob"]["onExitCodes"]["values"] == [1, 2]
        assert actions["FailJob"]["onExitCodes"]["containerName"] == job["template"]["spec"]["containers"][0]["name"]


def test_no_pod_is_root_or_may_become_it(rendered: Mapping[str, list[Manifest]]) -> None:
    for pod in (pod for made in rendered.values() for pod in pods(made)):
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert not security["allowPrivilegeEscalation"]
            assert security["capabilities"] == {"drop": ["ALL"]}
        is_driver = "serviceAccountName" in pod
        assert pod.get("automountServiceAccountToken", True) == is_driver


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([], "settings.cassandra.contact_points says where Cassandra is"),
        (JOBS, "settings.api.issuer says what iss of every token must be"),
        (TRUSTING, "name the Secret that holds it in api.filesSecret"),
        ([*MINIMAL, "--set", "api.replica=3"], "additional properties 'replica' not allowed"),
        ([*MINIMAL, "--set", "job.schedules.full.schedule=nightly"], "does not match pattern"),
        ([*MINIMAL, "--set", "command.arguments={runs}"], "command.name is missing"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_installed(
    kubernetes_tools: Path, values: list[str], sentence: str
) -> None:
    ended = helm(kubernetes_tools, "template", "aggregates", str(CHART), *values)
    assert ended.returncode != 0
    assert sentence in ended.stderr


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["version"] == chart["appVersion"] == activity_aggregates.__version__


def test_every_value_has_a_type_and_every_type_a_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    differences = list(unlike(yaml.safe_load((CHART / "values.yaml").read_text()), schema, schema["$defs"]))
    assert differences == ["global"]  # helm's own


def unlike(values: Any, schema: Any, definitions: Any, path: str = "") -> Iterator[str]:
    """Paths that only one of both has, below mappings that are closed."""
    if reference := schema.get("$ref"):
        schema = definitions[reference.rsplit("/", 1)[1]]
    if schema.get("additionalProperties") is not False or not isinstance(values, dict):
        return
    properties = schema["properties"]
    yield from (f"{path}{key}" for key in sorted(values.keys() ^ properties.keys()))
    for key in sorted(values.keys() & properties.keys()):
        yield from unlike(values[key], properties[key], definitions, f"{path}{key}.")
