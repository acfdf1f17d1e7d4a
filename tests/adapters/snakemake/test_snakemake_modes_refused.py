"""Files that could not get to the jobs or back: refused before anything runs, with the flags that would work."""

from __future__ import annotations

from tests.adapters.snakemake.workflow import Workflow
from tests.services.running import Sshd

ONE_RULE = "rule a:\n output: 'x'\n shell: 'touch x'\n"
TES = "[[backends]]\nname = 'cloud'\nkind = 'TES'\nurl = 'http://127.0.0.1:1'\n"
NONE = ("--shared-fs-usage", "none")
TWO_WAYS = "--shared-fs-usage none --default-storage-provider s3 --default-storage-prefix s3://BUCKET/PREFIX"


def test_the_workers_of_a_tes_server(workflow: Workflow) -> None:
    said = workflow.write(ONE_RULE, TES).run(ok=False)
    assert f"backend 'cloud': the workers of a TES server do not see {workflow.dir} of this machine" in said
    assert TWO_WAYS in said
    assert "Traceback" not in said
    assert "rule a:" not in said


def test_a_login_node_that_does_not_see_the_working_directory(workflow: Workflow, sshd: Sshd) -> None:
    locale = f"locale = {{ kind = 'SSH', host = 'login.slurm.cluster', ssh_config = '{sshd.ssh_config}' }}"
    config = f"[[backends]]\nname = 'hpc'\npreset = 'slurm'\n{locale}\n"
    said = workflow.write(ONE_RULE, config).run(ok=False)
    assert f"backend 'hpc': login.slurm.cluster does not see {workflow.dir} of this machine" in said
    assert TWO_WAYS in said
    assert "Traceback" not in said
    assert [file.name for file in workflow.dir.glob(".crankshaft-*")] == []


def test_files_outside_of_the_working_directory(workflow: Workflow) -> None:
    workflow.write("rule a:\n input: '../in'\n output: 'x'\n shell: 'touch x'\n")
    (workflow.place / "in").touch()
    assert "rule 'a': input ../in: outside of the working directory" in workflow.run(*NONE, ok=False)


def test_sources_outside_of_the_working_directory(workflow: Workflow) -> None:
    workflow.write(ONE_RULE)
    said = workflow.run(*NONE, "--directory", str(workflow.place / "out"), ok=False)
    assert "../work/Snakefile: outside of the working directory" in said
    assert "Traceback" not in said
