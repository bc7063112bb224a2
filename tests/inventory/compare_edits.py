# SPDX-License-Identifier: PostgreSQL
"""Reads edited documents with PyYAML's own (pure Python) parser and compares them with what was asked for.

The argument is a JSON file: a list of cases, each with the text before and after an edit and its changes, as
[verb, root, authority, name, text, vault]. Prints the first difference of each case; exits 1 if there was one.
"""
import json
import sys

import yaml


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("!vault", lambda loader, node: ("vault", node.value))
Loader.add_constructor("!unsafe", lambda loader, node: node.value)


def load(text):
    return yaml.load(text.encode(), Loader) or {}


def trimmed(value):
    """Line ends at the end of a value do not count."""
    if isinstance(value, tuple):
        return (value[0], trimmed(value[1]))
    return (value or "").rstrip("\r\n")


def member(mapping, key):
    """A member that is a mapping, made where it is not there or null."""
    if mapping.get(key) is None:
        mapping[key] = {}
    return mapping[key]


def without_empty(data):
    for root in ("certs", "private_keys"):
        if root in data:
            data[root] = {a: e for a, e in (data[root] or {}).items() if e}
            if not data[root]:
                del data[root]
    return data


def check(case):
    before, after = load(case["before"]), load(case["after"])
    for verb, root, authority, name, text, vault in case["changes"]:
        entries = member(member(before, root), authority)
        if verb == "remove":
            del entries[name]
            continue
        wanted = ("vault", text) if vault else text
        if (verb == "insert") == (name in entries):
            return f"{root}.{authority}.{name}: {verb}"
        found = ((after.get(root) or {}).get(authority) or {}).get(name, None)
        if trimmed(found) != trimmed(wanted):
            return f"{root}.{authority}.{name} is {found!r}, wanted {wanted!r}"
        entries[name] = found
    if without_empty(before) != without_empty(after):
        return f"{before!r}\n  became\n{after!r}"
    return None


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        cases = json.load(file)
    failed = 0
    for number, case in enumerate(cases):
        try:
            problem = check(case)
        except yaml.YAMLError as error:
            problem = str(error)
        if problem:
            failed += 1
            print(f"case {number}: {problem}\n{case['before']}\n--- became ---\n{case['after']}")
    print(f"{len(cases)} documents, {failed} wrong")
    return 1 if failed or not cases else 0


sys.exit(main())
