"""The lists of jars: what a line says, and that every line says what it has to."""

from __future__ import annotations

import pytest

from scripts.embedded.artifacts import CASSANDRA, CONNECTOR, KAFKA, SPARK_KAFKA, Artifact, Closure


def test_a_path_says_what_maven_and_ivy_ask_for() -> None:
    jar = Artifact("com/github/jnr/jffi/1.3.11/jffi-1.3.11-native.jar", "f4c26c0a")
    assert (jar.group, jar.name, jar.version) == ("com.github.jnr", "jffi", "1.3.11")
    assert (jar.classifier, jar.file) == ("native", "jffi-1.3.11-native.jar")


@pytest.mark.parametrize("closure", [*CASSANDRA.values(), CONNECTOR, KAFKA, SPARK_KAFKA], ids=lambda it: it.sums.name)
def test_a_list_has_its_artifact_and_stands_in_the_order_of_files(closure: Closure) -> None:
    files = [jar.file for jar in closure.artifacts]
    assert f"{closure.name}-{closure.version}.jar" in files
    assert files == sorted(set(files))  # jars of one module stand together
    assert [jar.path for jar in closure.artifacts if not jar.file.startswith(f"{jar.name}-{jar.version}")] == []
