#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The connection strings of a delivery's README.txt, as an administrator would copy them.

strings.py README NAME DATABASE PASSPHRASE [ROOT]: prints the one of that name, with the placeholders filled in and,
where ROOT is given, that file in the place of root.crt.
"""
import sys
import urllib.parse

BEGINNINGS = {
    "libpq": 'psql "',
    "psycopg": 'psycopg.connect("',
    "jdbc": "jdbc:postgresql:",
    "npgsql": "Host=",
    "go": "postgres://",
    "odbc": "Driver={",
    "java": "-Djavax.net.ssl.",
    "clear": "(umask 077; ",
}


def main():
    readme, name, database, passphrase = sys.argv[1:5]
    kind, _, form = name.partition("-")
    begin = BEGINNINGS[kind]
    with open(readme, encoding="utf-8") as stream:
        lines = [line[4:].rstrip("\n") for line in stream if line.startswith("    " + begin)]
    if form:
        lines = [line for line in lines if "/client." + form + "&" in line]
    if len(lines) != 1 and kind != "java":
        sys.exit("%d strings for %s in %s" % (len(lines), name, readme))
    text = " ".join(lines)
    for quoted in ("libpq", "psycopg"):
        if kind == quoted:
            text = text[len(begin):text.rindex('"')]
    if kind in ("jdbc", "go"):
        passphrase = urllib.parse.quote(passphrase, safe="")
    text = text.replace("DATABASE", database).replace("PASSPHRASE", passphrase)
    if len(sys.argv) > 5:
        root = sys.argv[5]
        text = text.replace("root.crt", root).replace("=truststore.p12", "=" + root.replace("root.crt", "truststore.p12"))
    print(text)


main()
