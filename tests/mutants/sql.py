#!/usr/bin/env python3
"""Changes the SQL in src/store, one place at a time, and runs tests: a change that no test notices is a missing test.

    tests/mutants/sql.py --list                              every change
    tests/mutants/sql.py --file src/store/read/page.rs       those of one file
    tests/mutants/sql.py --sample 20 --tests 'read:: tail::' some of them, by fewer tests

Works on the checkout that it stands in, which must have no uncommitted changes, and puts each file back. A change takes
as long as a build and the tests. Ends with 1 when a change survived.
"""
import argparse
import pathlib
import random
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Of a statement only: a text with one of these words.
STATEMENT = re.compile(r"\b(select|from|where|order by|case when|count\(|insert into|delete from|exists|interval)\b")
# What is changed, into what: comparisons, limits, order, and what is made of NULL.
CHANGES = [
    (r"(?<![-<>=!~@#?|])<=(?!>)", "<"),
    (r"(?<![-<>=!~@#?|])>=", ">"),
    (r"(?<![-<>=!~@#?|])<(?![=>@])", "<="),
    (r"(?<![-<>=!~@#?|])>(?![=>])", ">="),
    (r"\bis distinct from\b", "<>"),
    (r"\bis not distinct from\b", "="),
    (r"\bis not null\b", "is null"),
    (r"\bis null\b", "is not null"),
    (r"\bnulls last\b", "nulls first"),
    (r"\bcoalesce\(([^(),]+), [^()]+?\)", r"\1"),
    (r"\bnullif\(([^(),]+), [^()]+?\)", r"\1"),
    (r"\blimit (\$\d+|\{\w+\})", r"limit \1 - 1"),
    (r"\bdesc\b", "asc"),
    (r"\bgreatest\(", "least("),
    (r"\bleast\(", "greatest("),
    (r"\bmin\(", "max("),
    (r"\bmax\(", "min("),
    (r"\bnot exists\b", "exists"),
    (r"\bleft join\b", "join"),
    (r" and ", " or "),
    (r" or ", " and "),
    (r"\bcount\(distinct ", "count("),
    (r"\bunion all\b", "union"),
]


def literals(text):
    """The places of the string literals of a Rust file, up to its tests; comments and characters are skipped."""
    end = text.find("#[cfg(test)]")
    token = re.compile(r'//[^\n]*|/\*.*?\*/|\'(?:\\.|[^\\\'])\'|r#"(.*?)"#|"((?:\\.|[^"\\])*)"', re.S)
    for match in token.finditer(text, 0, len(text) if end < 0 else end):
        for group in (1, 2):
            if match.group(group) is not None:
                yield match.start(group), match.end(group)


def changes(path):
    text = path.read_text()
    for start, end in literals(text):
        literal = text[start:end]
        if not STATEMENT.search(literal):
            continue
        for pattern, replacement in CHANGES:
            for match in re.finditer(pattern, literal):
                changed = match.expand(replacement)
                at = start + match.start()
                yield {
                    "path": path,
                    "line": text.count("\n", 0, at) + 1,
                    "what": f"{match.group(0).strip()} -> {changed.strip()}",
                    "text": text[:at] + changed + text[start + match.end():],
                }


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--list", action="store_true", help="only print the changes")
    arguments.add_argument("--file", action="append", help="only this file")
    arguments.add_argument("--sample", type=int, help="only so many, chosen at random")
    arguments.add_argument("--seed", type=int, default=1, help="of that choice")
    arguments.add_argument("--tests", default="", help="filters of `cargo test --test it`, separated by spaces")
    arguments.add_argument("--timeout", type=int, default=900, help="seconds for build and tests of one change")
    options = arguments.parse_args()
    paths = [ROOT / file for file in options.file] if options.file else sorted((ROOT / "src/store").rglob("*.rs"))
    found = [change for path in paths if path.stem != "tests" for change in changes(path)]
    if options.sample:
        found = random.Random(options.seed).sample(found, min(options.sample, len(found)))
    if options.list:
        for change in found:
            print(f"{change['path'].relative_to(ROOT)}:{change['line']}: {change['what']}")
        return 0
    if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT).returncode:
        sys.exit("the checkout has uncommitted changes: commit them, or use a clone")
    survivors = caught = 0
    for change in found:
        original = change["path"].read_text()
        change["path"].write_text(change["text"])
        command = ["cargo", "test", "--locked", "--quiet", "--test", "it", "--", *options.tests.split()]
        try:
            run = subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=options.timeout)
            is_caught = run.returncode != 0
        except subprocess.TimeoutExpired:
            is_caught = True
        finally:
            change["path"].write_text(original)
        caught, survivors = caught + is_caught, survivors + (not is_caught)
        word = "caught  " if is_caught else "SURVIVED"
        print(f"{word} {change['path'].relative_to(ROOT)}:{change['line']}: {change['what']}", flush=True)
    print(f"{caught} of {caught + survivors} caught")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
