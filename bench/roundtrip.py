#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""What bench/edit.c does, by a round trip through a YAML library: roundtrip.py LIBRARY CERTS NEW AUTHORITY NAME LEAF OUT

LIBRARY: ruamel (round trip), or pyyaml (libyaml's loader and dumper).
"""
import sys


def ruamel(text, out, change):
    import ruamel.yaml
    yaml = ruamel.yaml.YAML(typ="rt")
    yaml.preserve_quotes = True
    document = yaml.load(text)
    change(document, ruamel.yaml.scalarstring.LiteralScalarString)
    yaml.dump(document, out)


def pyyaml(text, out, change):
    import yaml
    document = yaml.load(text, Loader=yaml.CSafeLoader)
    change(document, str)
    yaml.dump(document, out, Dumper=yaml.CSafeDumper, default_style="|", sort_keys=False)


def main(library, certs, newer, authority, name, leaf, out):
    with open(newer, encoding="utf-8") as file:
        newer = file.read()
    with open(leaf, encoding="utf-8") as file:
        leaf = file.read()

    def change(document, kind):
        for side in document["certs"].values():
            side["chain"] = kind(newer + side["chain"])
        document["certs"][authority][name] = kind(leaf)

    with open(certs, encoding="utf-8") as file:
        text = file.read()
    with open(out, "w", encoding="utf-8") as file:
        {"ruamel": ruamel, "pyyaml": pyyaml}[library](text, file, change)


main(*sys.argv[1:])
