#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""The arithmetic of bench/ against values that are known: medians, growth, targets, and what is printed of them."""
import json
import os
import re
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import figures  # noqa: E402
import hosts  # noqa: E402
import measure  # noqa: E402
import program  # noqa: E402
import report  # noqa: E402
import rows  # noqa: E402


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


def series(name, walls, size=10, cpu=1.0, values=None):
    one = measure.Series(measure.Command(name, ["true"]), size)
    for wall in walls:
        one.samples.append(measure.Sample(wall, cpu, 0.0, 1000, values))
    return one


class Medians(unittest.TestCase):
    def test_middle(self):
        self.assertEqual(figures.median([3, 1, 2]), 2)
        self.assertEqual(figures.median([4, 1, 3, 2]), 2.5)
        self.assertEqual(figures.median([7]), 7)

    def test_one_slow_run_does_not_count(self):
        self.assertEqual(figures.median([1.0, 1.1, 60.0]), 1.1)

    def test_nothing(self):
        self.assertRaises(ValueError, figures.median, [])


class Growth(unittest.TestCase):
    def test_known_slopes(self):
        for power in (0, 1, 2, 1.5):
            points = [(size, 0.003 * size ** power) for size in (100, 1000, 10000)]
            self.assertAlmostEqual(figures.slope(points), power)
            self.assertAlmostEqual(figures.growth(points), power)

    def test_unit_and_order_do_not_count(self):
        points = [(10000, 8.0), (100, 0.02), (1000, 0.3)]
        self.assertAlmostEqual(figures.slope(points), figures.slope([(size, time * 1000) for size, time in points[::-1]]))

    def test_start_up_does_not_hide_a_square(self):
        points = [(size, 0.2 + 1e-8 * size ** 2) for size in (100, 1000, 10000)]
        self.assertLess(figures.slope(points), 0.5)
        self.assertGreater(figures.growth(points), 0.7)
        points = [(size, 0.01 + 1e-7 * size ** 2) for size in (100, 1000, 10000)]
        self.assertGreater(figures.growth(points), 1.9)

    def test_one_size_has_no_slope(self):
        self.assertRaises(ValueError, figures.slope, [(10, 1.0), (10, 2.0)])


class Targets(unittest.TestCase):
    def one(self, limit, value):
        return figures.parse_targets("row | figure | %s | text" % limit)[0].judge(value)

    def test_verdicts(self):
        self.assertEqual(self.one("at most 0.55", 0.55), "met")
        self.assertEqual(self.one("at most 0.55", 0.549), "met")
        self.assertEqual(self.one("at most 0.5", 0.75), "MISSED by 50 %")
        self.assertEqual(self.one("at least 50", 50), "met")
        self.assertEqual(self.one("at least 50", 500), "met")
        self.assertEqual(self.one("at least 50", 25), "MISSED by 50 %")
        self.assertEqual(self.one("at most 20 ms", 20.5), "MISSED by 2.5 %")

    def test_a_little_is_no_nothing(self):
        self.assertEqual(self.one("at most 1.1", 1.1000001), "MISSED by 0.1 %")

    def test_not_a_number(self):
        self.assertRaises(ValueError, self.one, "at most 1", float("nan"))

    def test_texts(self):
        self.assertEqual(figures.parse_targets("a | b | at most 20 ms | c # d\n#\n\n")[0].limit_text(), "<= 20 ms")
        self.assertEqual(figures.parse_targets("a | b | at least 3 | c")[0].limit_text(), ">= 3")

    def test_refused(self):
        for text in ("a | b | below 3 | c", "a | b | at most 3", "a | b | at most | c", "a | | at most 3 | c",
                     "a | b | at most 0 | c", "a | b | at most 3 | c\na | b | at most 4 | c"):
            with self.assertRaisesRegex(ValueError, "targets:[12]: "):
                figures.parse_targets(text)

    def test_each_has_a_figure_and_each_figure_a_target(self):
        stated = [(one.row, one.figure) for one in figures.parse_targets(read("bench", "targets"))]
        made = [(row.name, figure.name) for row in rows.ROWS for figure in row.figures]
        self.assertEqual(sorted(stated), sorted(made))


class Rows(unittest.TestCase):
    def test_names_and_sizes(self):
        names = [row.name for row in rows.ROWS]
        self.assertEqual(len(names), len(set(names)))
        for row in rows.ROWS:
            self.assertEqual(row.sizes, sorted(row.sizes))
            self.assertEqual(len(row.sizes), len(row.quick))
            if any(figure.name == "growth" for figure in row.figures):
                self.assertEqual(len(row.sizes), 3, row.name)

    def test_described(self):
        text = read("bench", "README.md")
        for row in rows.ROWS:
            self.assertIn("### %s\n" % row.name, text)

    def test_shares(self):
        both = {"certrotate": series("certrotate", [2.0, 1.0, 9.0]), "peer": series("peer", [6.0, 10.0, 1.0])}
        self.assertEqual(rows.faster("x", "peer").work(both, 10, None)[0], 3.0)
        self.assertEqual(rows.share("x", "peer").work(both, 10, None)[0], 1 / 3)

    def test_keys(self):
        both = {"certrotate": series("certrotate", [6.0, 5.0], 10, 10.0),
                "openssl genpkey": series("openssl genpkey", [10.0, 10.0], 10, 8.0)}
        self.assertAlmostEqual(rows.keys_share(both, 10, None)[0], 0.55)
        self.assertAlmostEqual(rows.keys_cpu(both, 10, None)[0], 1.25)

    def test_handshakes(self):
        values = {"chains": 1.0, "with": 4.0, "single": 0.001, "count": 5000.0, "processors": 2.0}
        ours = {"certrotate": series("certrotate", [5.0], 10, 1.0, values)}
        self.assertAlmostEqual(rows.handshakes_share(ours, 10, None)[0], 1.2)

    def test_the_faster_peer_counts(self):
        three = {"certrotate": series("certrotate", [2.0], 100), "cfssl": series("cfssl", [200.0], 100),
                 "easyrsa": series("easyrsa", [900.0], 100)}
        self.assertEqual(rows.issued("certrotate")(three, 100, None), (100.0, "50/s", "0.5/s"))
        del three["cfssl"]
        self.assertEqual(rows.issued("certrotate")(three, 100, None)[0], 450.0)


class Measuring(unittest.TestCase):
    def test_in_turn(self):
        log = []

        class Fake:
            def run(self, command, size):
                log.append(command.name)
                return measure.Sample(1.0)

        commands = [measure.Command("a", ["a"]), measure.Command("b", ["b"], runs=1)]
        made = measure.alternate(Fake(), commands, 10, 3, True, lambda one: None)
        self.assertEqual("".join(log), "ab" "ab" "a" "a")
        self.assertEqual([len(one.samples) for one in made.values()], [3, 1])

    def test_steps(self):
        self.assertEqual(measure.Command("a", ["x", "y"]).steps(), [["x", "y"]])
        self.assertEqual(measure.Command("a", [["x"], ["y"]]).steps(), [["x"], ["y"]])
        self.assertEqual(measure.Command("a", lambda: [["x"]]).steps(), [["x"]])

    def test_values(self):
        self.assertEqual(measure.read_values("count 12\nwith 0.5\nelse\n", False), {"count": 12.0, "with": 0.5})
        self.assertEqual(measure.read_values("noise\n60.5 33\n", True), {"seconds": 60.5, "count": 33.0})

    def test_scaled(self):
        sample = measure.Sample(60.0, 30.0, 6.0, 1000)
        sample.scale(10000 / 3000)
        self.assertEqual((sample.wall, round(sample.cpu), sample.peak), (200.0, 120, 1000))

    def test_calls(self):
        data = b"abc\0ANSIBLE_A=1\0/bin/ansible-playbook\0-i\0x y\0\0def\0/bin/ansible-playbook\0z\0\0"
        self.assertEqual(hosts.parse_calls(data), [("abc", ["ANSIBLE_A=1"], ["-i", "x y"]), ("def", [], ["z"])])


class OfTheDay(unittest.TestCase):
    """Rows that are measured one by one make one table."""

    @staticmethod
    def result(date, load, **parts):
        return {"version": 1, "date": date, "quick": False, "machine": {"processors": 2, "load": load}, "figures": [],
                "not_measured": [], "notes": [], "rows": [], **parts}

    def together(self, before, result):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "figures.json")
            if before:
                report.write_json(path, before)
            program.of_the_day(path, result, {one["row"] for one in result["rows"] + result["not_measured"]})
        return result

    def test_others_stay_in_their_order(self):
        before = self.result("2026-11-21", 0.5, rows=[{"row": "keys"}, {"row": "edit"}, {"row": "gone"}], notes=[
            {"row": "edit", "note": "old"}], not_measured=[{"row": "probe", "why": "needs root"}])
        got = self.together(before, self.result("2026-11-21", 0.9, rows=[{"row": "probe"}, {"row": "edit", "new": True}]))
        self.assertEqual(got["rows"], [{"row": "keys"}, {"row": "edit", "new": True}, {"row": "probe"}])
        self.assertEqual((got["notes"], got["not_measured"]), ([], []))

    def test_another_day_or_machine_counts_for_nothing(self):
        own = self.result("2026-11-21", 0.5, rows=[{"row": "edit"}])
        other = self.result("2026-11-21", 0.5, rows=[{"row": "keys"}], machine={"processors": 4, "load": 0.5})
        for before in (self.result("2026-11-20", 0.5, rows=[{"row": "keys"}]), other, None):
            self.assertEqual(self.together(before, dict(own))["rows"], [{"row": "edit"}])


class Reports(unittest.TestCase):
    RESULT = {"version": 1, "date": "2026-11-21", "quick": False, "not_measured": [{"row": "probe", "why": "needs root"}],
              "notes": [], "rows": [], "machine": {"processor": "a processor", "processors": 2, "memory": 8 * 10 ** 9,
                                                   "openssl": "OpenSSL 3.0.0", "kernel": "6", "load": 0.0}}

    def line(self, name, walls, limit):
        row = next(row for row in rows.ROWS if row.name == name)
        by_size = {size: {"certrotate": series("certrotate", [wall], size), "ansible-vault view":
                          series("ansible-vault view", [wall * 25], size)} for size, wall in walls}
        targets = {("vault-read", one): figures.parse_targets("vault-read | %s | %s | x" % (one, limit))[0]
                   for one in ("times-faster", "growth")}
        return [program.figure_line(row, figure, by_size, None, targets) for figure in row.figures]

    def test_lines(self):
        first, second = self.line("vault-read", [(100, 0.1), (1000, 1.0), (10000, 10.0)], "at least 20")
        self.assertEqual((first["value"], first["verdict"], first["size"]), (25.0, "met", 10000))
        self.assertEqual((round(second["value"], 6), second["verdict"]), (1.0, "MISSED by 95 %"))

    def test_missing_peer(self):
        row = next(row for row in rows.ROWS if row.name == "edit")
        by_size = {10: {"certrotate": series("certrotate", [1.0]), "ruamel.yaml": series("ruamel.yaml", [9.0])}}
        made = [program.figure_line(row, figure, by_size, None, {}) for figure in row.figures]
        self.assertEqual([bool(line) for line in made], [True, False, False])

    def test_width(self):
        for row in rows.ROWS:
            for figure in row.figures:
                self.assertLessEqual(len(figure.beside), report.BESIDE, figure.beside)
                line = report.LINE % (row.name, 10000, "0.123 ms", figure.beside, "0.123 ms", "0.123 times",
                                      "<= 20 ms MISSED by 2.5 %")
                self.assertLessEqual(len(line), report.WIDTH, line)

    def test_readme(self):
        result = dict(self.RESULT, figures=self.line("vault-read", [(100, 0.1), (1000, 1.0), (10000, 10.0)], "at least 20"))
        text = report.into_readme("a\n%s\nold\n%s\nb\n" % (report.BEGIN, report.END), result)
        self.assertTrue(text.startswith("a\n" + report.BEGIN) and text.endswith(report.END + "\nb\n"))
        self.assertNotIn("old", text)
        self.assertIn("25 times | at least 20 met |", text)
        self.assertIn("2026-11-21", text)
        self.assertIn("a processor, 2 processors, 8 GB of memory", text)
        self.assertIn("probe (needs root)", text)
        self.assertEqual(report.into_readme(text, result), text)
        self.assertEqual(json.loads(json.dumps(result)), result)

    def test_marks_are_needed(self):
        self.assertRaises(ValueError, report.into_readme, "no marks", self.RESULT)

    def test_the_readme_has_the_marks(self):
        text = read("README.md")
        self.assertTrue(re.search("%s\n.*%s\n" % (report.BEGIN, report.END), text, re.DOTALL))

    def test_texts(self):
        self.assertEqual([report.seconds(value) for value in (0.00123, 0.25, 41.24, 212.0)],
                         ["1.23 ms", "0.25 s", "41.2 s", "212 s"])
        self.assertEqual([report.size_text(value) for value in (12, 3400, 36e6, 2.5e9)], ["12 B", "3.4 kB", "36 MB", "2.5 GB"])


if __name__ == "__main__":
    unittest.main()
