import os

import pytest

NO_SUCH = "no-such-file"
BAD_TOML = '[[backends]\nname = "x"\n'
BAD_KEY = '[backends.hpc]\nkind = "Docker"\nmemory = 3\n'
NO_TOKEN = """
[backends.cloud]
kind = "TES"
url = "http://127.0.0.1:9"
http = { auth = { type = "bearer", token = { env = "CK_NOT_SET" } } }
"""
TWO = '[backends.a]\nkind = "Docker"\n[backends.b]\nkind = "Docker"\n'

MISTAKES = [
    ("", ["rum"], 2, "did you mean 'run'?"),
    ("", ["run"], 125, "nothing to run"),
    ("", ["run", "--"], 125, "nothing to run"),
    ("", ["run", "--", ""], 125, "the command is empty"),
    ("", ["run", "-c", "x", "--", "y"], 125, "-c TEXT is the whole command"),
    ("", ["run", "--backend", "lfs", "true"], 125, "no backend named 'lfs'; known: local"),
    ("", ["run", "--cpu", "lots", "true"], 125, "--cpu: must be a number"),
    ("", ["run", "--cpu", "1e400", "true"], 125, "--cpu: must be finite"),
    ("", ["run", "--ram", "8 apples", "true"], 125, "'8 apples' is not a size"),
    ("", ["run", "--mem", "16000", "true"], 125, "write '16000MB' for megabytes"),
    ("", ["run", "--time", "30", "true"], 125, "write '30m' for minutes or '30s' for seconds"),
    ("", ["run", "--env", "CK_NOT_SET", "true"], 125, "CK_NOT_SET is not set here"),
    ("", ["run", "--cwd", "nowhere", "true"], 125, "nowhere: no such directory"),
    ("", ["run", "--image", "busybox", "true"], 125, "image"),
    ("", ["run", "--image", "busybox", "--dry-run", "true"], 125, "image"),
    ("", ["run", "--file", NO_SUCH], 125, f"{NO_SUCH}: No such file or directory"),
    ("", ["run", "--file", "."], 125, "Is a directory"),
    ("", ["run", "--file", os.devnull], 125, "there is no task in it"),
    ("", ["run", "--file", "T.jsonl", "--", "true"], 125, "with --file each line says this itself: COMMAND"),
    ("", ["run", "--file", "T.jsonl", "--env", "A=1", "--name", "x"], 125, "--env, --name"),
    ("", ["run", "--file", "T.jsonl", "--ram", "much"], 125, "--ram: 'much' is not a size"),
    ("", ["run", "--config", NO_SUCH, "true"], 125, NO_SUCH),
    ("", ["backends", "--config", NO_SUCH], 2, NO_SUCH),
    ("", ["config", "--config", "."], 2, "directory"),
    ("", ["check", "lokal"], 2, "no backend named 'lokal'; known: local"),
    ("", ["init", "nowhere/Crankshaft.toml"], 2, "nowhere/Crankshaft.toml: No such file or directory"),
    ("", ["init", "."], 2, "there already"),
    (BAD_TOML, ["run", "true"], 125, "Crankshaft.toml:1"),
    (BAD_TOML, ["backends"], 2, "Crankshaft.toml:1"),
    (BAD_KEY, ["check"], 2, "did you mean"),
    (BAD_KEY, ["config"], 2, "Crankshaft.toml:3"),
    (
        NO_TOKEN,
        ["run", "--image", "x", "true"],
        125,
        "'cloud', http.auth.token: the secret { env = 'CK_NOT_SET' }",
    ),
    (TWO, ["run", "true"], 125, "several backends and no default: a, b; name one"),
]


@pytest.mark.parametrize(("config", "argv", "code", "words"), MISTAKES, ids=[" ".join(row[1]) for row in MISTAKES])
def test_a_mistake_is_told_in_plain_words_before_anything_is_submitted(crankshaft, config, argv, code, words):
    crankshaft.tasks('{"command": "true"}')
    if config:
        crankshaft.config(config)
    done = crankshaft.run(*argv)
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (code, b"")
    assert words in said
    assert "Traceback" not in said
    assert all(line.startswith("crankshaft") for line in said.splitlines())
    assert not crankshaft.submitted()


def test_a_work_directory_that_cannot_be_written_is_told(crankshaft):
    (crankshaft.cwd / ".crankshaft").write_text("in the way")
    done = crankshaft.run("run", "--", "true")
    assert done.returncode == 125
    assert b".crankshaft" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_home_that_cannot_be_written_is_told(crankshaft):
    crankshaft.home.joinpath("state").write_text("in the way")
    done = crankshaft.run("run", "--", "true")
    assert b"Traceback" not in done.stderr
    assert done.returncode == 125


def test_a_current_directory_that_is_gone_is_told(crankshaft):
    gone = crankshaft.cwd / "gone"
    gone.mkdir()
    crankshaft.cwd = gone
    done = crankshaft.start("run", "--", "true", preexec_fn=gone.rmdir)
    said = done.communicate(timeout=30)[1]
    assert done.returncode == 125
    assert b"Traceback" not in said
