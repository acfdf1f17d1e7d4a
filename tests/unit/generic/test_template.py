"""Templates: what the shell receives is the value, byte for byte, in every quote; and what is refused says why."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crankshaft_core.backends.generic.template import Template, Value
from crankshaft_core.errors import ConfigError, SubmitError

TEXTS = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=60)
NASTY = "a'b\"c $HOME `id` \\ \\n ; | & * ?\t~ é☃ -rf !x # ~{cpu} $(id) ${x}\n'\\'' \x01\x7f"
CONTEXTS = {
    "bare": "~{v}",
    "single": "'~{v}'",
    "double": '"~{v}"',
    "ansi": "$'~{v}'",
    "single with text": "'<~{v}>'",
    "double with text": '"<~{v}>"',
    "bare with text": "--x=~{v}.y",
    "substitution": '"$(printf "%s." ~{v})"',
    "quoted in a substitution": "\"$(printf '%s.' '~{v}')\"",
    "in a conditional": "~{v?x~{v}}'~{v?~{v}}'\"~{v?~{v}}\"~{nothing?~{v}}",
}


def fill(template: str, **values: Value) -> str:
    return Template.parse(template, label="submit").fill(values)


def expected(context: str, value: str) -> str:
    return {
        "single with text": f"<{value}>",
        "double with text": f"<{value}>",
        "bare with text": f"--x={value}.y",
        "substitution": f"{value}.",
        "quoted in a substitution": f"{value}.",
        "in a conditional": f"x{value}{value}{value}" if value else "",
    }.get(context, value)


def received(text: str) -> list[str]:
    """The words that bash makes of shell text."""
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {text}"], capture_output=True, check=True)
    return done.stdout.decode().split("\0")[:-1]


@settings(max_examples=150, deadline=None)
@given(value=TEXTS)
def test_the_shell_receives_the_value_in_every_quote(value: str) -> None:
    words = [fill(template, v=value, nothing=None) for template in CONTEXTS.values()]
    assert received(" ".join(words)) == [expected(context, value) for context in CONTEXTS]


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_nasty_value_arrives(context: str) -> None:
    assert received(fill(CONTEXTS[context], v=NASTY, nothing=None)) == [expected(context, NASTY)]


@settings(max_examples=100, deadline=None)
@given(value=TEXTS, name=st.sampled_from(["v", "command", "w", "nothing"]))
def test_values_are_never_looked_at_again(value: str, name: str) -> None:
    tempting = f"{value}~{{{name}}}~{{{name}?x}}"
    assert received(fill("~{v} '~{v}'", v=tempting, w="other")) == [tempting, tempting]


@settings(max_examples=150, deadline=None)
@given(text=st.text("abc \t\n$;|&-=/{}", max_size=60))
def test_what_is_no_placeholder_is_not_touched(text: str) -> None:
    assert fill(text) == text


@settings(max_examples=60, deadline=None)
@given(value=TEXTS)
def test_a_command_in_quotes_is_the_command_for_the_shell_that_gets_it(value: str) -> None:
    assert received(fill("'~{command}' \"~{command}\"", command=value)) == [value, value]


def test_a_bare_command_stays_shell_text() -> None:
    assert fill("nice ~{command}", command="echo a | wc -c") == "nice echo a | wc -c"


def test_several_words_are_quoted_each() -> None:
    assert received(fill("~{job_ids}", job_ids=("1", "2 3"))) == ["1", "2 3"]


def test_several_words_in_quotes_are_one() -> None:
    assert received(fill('"~{job_ids}"', job_ids=("1", "2"))) == ["1 2"]


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("a~{x? --x=~{x}} b", "a --x=1 b"),
        ("a~{y? --y=~{y}} b", "a b"),
        ("~{x?~{y?both}~{x}}", "1"),
        ("~{x?${HOME}/{a,b}}", "${HOME}/{a,b}"),
        ("~{empty?there}", ""),
        ("~{cpu>1?-pe smp ~{cpu}}", "-pe smp 4"),
        ("~{x>1?more}", ""),
        ("~{y>1?more}", ""),
    ],
)
def test_conditionals(template: str, filled: str) -> None:
    assert fill(template, x="1", y=None, empty="", cpu="4") == filled


def test_an_escaped_placeholder_is_left_to_the_shell() -> None:
    assert received(fill(r"\~{cpu}", cpu="4")) == ["~{cpu}"]


def test_a_backslash_in_single_quotes_escapes_nothing() -> None:
    assert received(fill(r"'\~{cpu}'", cpu="4")) == ["\\4"]


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(SubmitError, match=re.escape("submit: no placeholder is called ~{cup}; known: cpu, ram_mb")):
        fill("~{cup}", cpu="1", ram_mb=None)


def test_an_unknown_name_inside_a_conditional_is_told_too() -> None:
    with pytest.raises(SubmitError, match=r"~\{cup\}"):
        fill("~{ram_mb?~{cup}}", cpu="1", ram_mb=None)


def test_an_attribute_that_only_other_tasks_set_is_left_out() -> None:
    assert fill("run ~{gpu_model?--gres ~{gpu_model}}", cpu="1") == "run "


def test_a_name_without_a_value_says_how_to_leave_it_out() -> None:
    with pytest.raises(SubmitError, match=r"needs ~\{ram_mb\}.*write ~\{ram_mb\?…\} around it"):
        fill("--mem=~{ram_mb}M", ram_mb=None)


def test_a_comparison_wants_a_number() -> None:
    with pytest.raises(SubmitError, match="compares numbers, and queue is 'long'"):
        fill("~{queue>1?x}", queue="long")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("~{}", "begins no placeholder"),
        ("~{1x}", "begins no placeholder"),
        ("~{x", "begins no placeholder"),
        ("~{x>1}", "begins no placeholder"),
        ("~{x y}", "begins no placeholder"),
        ("~{x?abc", "never closed"),
        ("~{x?{}", "never closed"),
        ("~{x?'}'", "must close inside it"),
        ("'~{x?'}", "must close inside it"),
        ("`echo ~{x}`", "backquotes"),
        ('"`echo ~{x}`"', "backquotes"),
        ("${y:-~{x}}", r"\$\{…\}"),
        ("true # ~{x}", "a comment"),
        ("sbatch <<EOF\n~{x}\nEOF", "a here-document"),
        ("cat <<'EOF'\nEOF", "a here-document"),
    ],
)
def test_what_cannot_be_filled_safely_is_refused(template: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        Template.parse(template, label="submit")


@pytest.mark.parametrize(
    "template",
    ["cat <<<~{x}", "echo a#~{x}", "echo $# ~{x}", "echo ${#y} ~{x}", 'echo "${y:-it\'s}" ~{x}', "echo \\' ~{x}"],
)
def test_what_only_looks_like_it_is_not_refused(template: str) -> None:
    assert "'a b'" in fill(template, x="a b")


def test_the_names_include_those_of_conditionals() -> None:
    assert Template.parse("~{a?~{b}} ~{c>1?x}", label="submit").names == {"a", "b", "c"}
