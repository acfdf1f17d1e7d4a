"""Workflows that come to a good end on the built-in backend, with nothing configured."""

import json

from tests.adapters.snakemake.workflow import Workflow


class TestNames:
    """Samples, a directory and configuration values with everything a shell could trip over."""

    SAMPLES = ("a b", "it's", 'q"uote', "$HOME", "`id`", "back\\slash", "ü*", "#1", "-n")
    SNAKEFILE = """
        SAMPLES = ["a b", "it's", 'q"uote', "$HOME", "`id`", "back\\\\slash", "ü*", "#1", "-n"]
        rule gather:
            input: expand("out dir/s{sample}.txt", sample=SAMPLES)
            output: "all it's.txt"
            params: said=config["said"]
            shell: "cat {input:q} > {output:q}; printf '%s' {params.said:q} >> {output:q}"
        rule scatter:
            output: "out dir/s{sample}.txt"
            params: name=lambda wildcards: wildcards.sample
            shell: "printf '%s\\\\n' {params.name:q} > {output:q}"
    """

    def test_all_arrive_as_they_are(self, workflow: Workflow) -> None:
        workflow.name = 'it\'s a "dir" $x'
        workflow.write(self.SNAKEFILE)
        said = "both ' and \" and $HOME"
        workflow.run("--jobs", "4", "--config", f"said={said}")
        assert workflow.read("all it's.txt") == "".join(f"{name}\n" for name in self.SAMPLES) + said


def test_a_group_is_one_job(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: "c.txt"
        rule a:
            output: "{x}.a"
            group: "both"
            shell: "echo {wildcards.x} > {output}"
        rule b:
            input: "one.a", "two.a"
            output: "c.txt"
            group: "both"
            shell: "cat {input} > {output}"
    """)
    said = workflow.run()
    assert workflow.read("c.txt") == "one\ntwo\n"
    assert said.count(" on local") == 1
    assert "both[a, b]: job " in said


def test_groups_may_be_made_on_the_command_line(workflow: Workflow) -> None:
    workflow.write("""
        rule all:
            input: expand("{n}.txt", n=range(4))
        rule a:
            output: "{n}.txt"
            shell: "echo $CRANKSHAFT_ATTEMPT > {output}"
    """)
    workflow.run("--groups", "a=g", "--group-components", "g=2")
    attempts = [workflow.read(f"{n}.txt") for n in range(4)]
    assert len(set(attempts)) == 2


def test_rules_may_be_connected_by_a_pipe(workflow: Workflow) -> None:
    workflow.write("""
        rule reader:
            input: "data.pipe"
            output: "b.txt"
            shell: "cat {input} > {output}"
        rule writer:
            output: pipe("data.pipe")
            shell: "echo through > {output}"
    """)
    workflow.run()
    assert workflow.read("b.txt") == "through\n"


def test_declared_variables_arrive_byte_for_byte(workflow: Workflow) -> None:
    nasty = {"CK_A": 'it\'s "$HOME"', "CK_B": "two\nlines\t`id`", "CK_C": "\\n ü $(true) ;&|"}
    workflow.env = nasty
    workflow.write("""
        import json, os
        envvars: "CK_A", "CK_B"
        rule a:
            output: "env.json"
            run:
                json.dump({name: os.environ.get(name) for name in ("CK_A", "CK_B", "CK_C")}, open(output[0], "w"))
    """)
    workflow.run("--envvars", "CK_C")
    assert json.loads(workflow.read("env.json")) == nasty


def test_values_of_declared_variables_are_in_no_file_and_not_said(workflow: Workflow) -> None:
    workflow.env = {"CK_SECRET": "s3cr3t-value"}
    workflow.write("""
        envvars: "CK_SECRET"
        rule a:
            output: "a.txt"
            shell: "test -n \\"$CK_SECRET\\"; grep -rl s3cr3t-value .snakemake .crankshaft > {output} 2>&1 || true"
    """)
    said = workflow.run("--verbose")
    assert workflow.read("a.txt") == ""
    assert "s3cr3t-value" not in said


def test_the_directory_flag_is_honoured(workflow: Workflow) -> None:
    workflow.write('rule a:\n    output: "a.txt"\n    shell: "pwd > {output}"\n')
    workflow.run("--directory", "other place")
    assert workflow.read("other place/a.txt").strip() == str(workflow.dir / "other place")


def test_a_workdir_in_the_snakefile_is_honoured(workflow: Workflow) -> None:
    workflow.write('workdir: "results"\nrule a:\n    output: "a.txt"\n    shell: "pwd > {output}"\n')
    workflow.run()
    assert workflow.read("results/a.txt").strip() == str(workflow.dir / "results")


def test_rules_of_every_kind_run(workflow: Workflow) -> None:
    workflow.write(
        """
        localrules: here
        rule all:
            input: "gathered.txt", "here.txt"
        checkpoint split:
            output: directory("parts")
            shell: "mkdir parts; touch parts/1 parts/2"
        def parts(wildcards):
            where = checkpoints.split.get().output[0]
            return expand("done/{n}", n=glob_wildcards(where + "/{n,[0-9]+}").n)
        rule part:
            input: "parts/{n}"
            output: temp("done/{n}")
            script: "part.py"
        rule gather:
            input: parts
            output: protected("gathered.txt")
            benchmark: "bench.tsv"
            shell: "cat {input} | sort > {output}"
        rule here:
            output: "here.txt"
            shell: "touch {output}"
        """,
        **{"part.py": "open(snakemake.output[0], 'w').write(snakemake.wildcards.n + '\\n')\n"},
    )
    workflow.run()
    assert workflow.read("gathered.txt") == "1\n2\n"
    assert not workflow.exists("done/1")
    assert workflow.exists("bench.tsv")


def test_profiles_may_name_the_executor(workflow: Workflow) -> None:
    workflow.write('rule a:\n    output: "a.txt"\n    shell: "touch {output}"\n')
    profile = workflow.dir / "profiles" / "default"
    profile.mkdir(parents=True)
    (profile / "config.yaml").write_text("executor: crankshaft\ncrankshaft-backend: local\njobs: 2\n")
    assert "a: job " in workflow.run()


def test_many_inputs_are_waited_for(workflow: Workflow) -> None:
    workflow.write("""
        from pathlib import Path
        names = [f"in/{'x' * 100}{n}" for n in range(1500)]
        Path("in").mkdir(exist_ok=True)
        for name in names:
            Path(name).touch()
        rule a:
            input: names
            output: "a.txt"
            run:
                open(output[0], "w").write(str(len(input)))
    """)
    workflow.run()
    assert workflow.read("a.txt") == "1500"
