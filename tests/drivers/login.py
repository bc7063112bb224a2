#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""login.py MODULE CONNINFO: logs in with psycopg or psycopg2 and prints the serial that the server has."""
import importlib
import sys

with importlib.import_module(sys.argv[1]).connect(sys.argv[2]) as connection:
    cursor = connection.cursor()
    cursor.execute("SELECT client_serial FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    print(cursor.fetchone()[0])
