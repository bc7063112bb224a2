# SPDX-License-Identifier: PostgreSQL
"""What was measured, for people and as JSON."""
import datetime
import json
import os
import subprocess

WIDTH = 100
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def seconds(value):
    """At three digits: "1.24 ms", "0.312 s", "41.2 s"."""
    if value < 0.1:
        return "%.3g ms" % (value * 1000)
    if value < 100:
        return "%.3g s" % value
    return "%.0f s" % value


def size_text(value):
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return "%.3g %s" % (value, unit)
        value /= 1000
    return "%.3g GB" % value


def number_text(value):
    return "%.0f" % value if value >= 100 else "%.3g" % value


def machine():
    """What the figures hold for."""
    name, memory = "unknown", 0
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) * 1024
    openssl = subprocess.run(["openssl", "version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return {"processor": name, "processors": len(os.sched_getaffinity(0)), "memory": memory,
            "kernel": os.uname().release, "openssl": " ".join(openssl.split()[:2]), "load": os.getloadavg()[0]}


def machine_text(described):
    return "%s, %d processors, %.0f GB of memory, %s" % (described["processor"], described["processors"],
                                                        described["memory"] / 1e9, described["openssl"])


def told(row, series):
    """A line for each command while it goes on."""
    runs = len(series.samples)
    print("  %-10s %6d  %-26s %9s  cpu %9s  peak %8s  %d run%s" % (
        row.name, series.size, series.name, seconds(series.median("wall")), seconds(series.median("cpu")),
        size_text(series.median("peak")), runs, "" if runs == 1 else "s"), flush=True)


BESIDE = 21
LINE = "%-11s %5s %9s  %-21s %9s  %-11s %s"


def print_table(result):
    print()
    print("-" * WIDTH)
    print(LINE % ("work", "size", "certrotate", "beside", "its time", "figure", "target"))
    for line in result["figures"]:
        print(LINE % (line["row"], line["size"], line["ours"], line["beside"], line["theirs"],
                      ("%s %s" % (number_text(line["value"]), line["unit"])).strip(),
                      "%s %s" % (line["target"], line["verdict"])))
    for row in result["not_measured"]:
        print("%-11s not measured: %s" % (row["row"], row["why"]))
    print("-" * WIDTH)
    for note in result["notes"]:
        print("%-11s %s" % (note["row"], note["note"]))
    print("%s; %s" % (machine_text(result["machine"]), result["date"]))


def write_json(path, result):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


# ---- the README's table

def readme_table(result):
    lines = ["| work | certrotate | beside | its time | figure | target |", "|---|---|---|---|---|---|"]
    largest = {line["row"]: line["size"] for line in sorted(result["figures"], key=lambda one: one["size"])}
    for line in result["figures"]:
        work = line["work"] if line["size"] == largest[line["row"]] else "%s, at %d" % (line["work"], line["size"])
        work = work if line["figure"] != "growth" else "the same: growth with size"
        lines.append("| %s | %s | %s | %s | %s %s | %s %s |" % (
            work, line["ours"], line["beside"], line["theirs"], number_text(line["value"]), line["unit"],
            line["target"].replace("<=", "at most").replace(">=", "at least"), line["verdict"]))
    lines += ["", "Measured on %s by `make bench`: %s." % (result["date"], machine_text(result["machine"]))]
    missing = [row for row in result["not_measured"]]
    if missing:
        lines.append("Not measured: %s." % "; ".join("%s (%s)" % (row["row"], row["why"]) for row in missing))
    return "\n".join(line.replace("  ", " ") for line in lines)


def into_readme(text, result):
    """The README with the table between its two marks replaced; ValueError where they are not there once each."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError("the marks %s and %s are not there" % (BEGIN, END))
    head, rest = text.split(BEGIN)
    return head + BEGIN + "\n" + readme_table(result) + "\n" + END + rest.split(END)[1]
