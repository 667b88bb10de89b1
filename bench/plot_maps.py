#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plot_maps.py RESULTS.json DIR: a plot per map type, DIR/<type>.png, by gnuplot, and DIR/maps.md.

The cases are <type>/<operation>/<key bytes>/<entries>, with "/2" for two threads. Tenon and the
kernel have the same colours everywhere; key sizes are told by point and dash."""
import json
import os
import subprocess
import sys

ENGINES = {"jit": ("Tenon", "#1f6fb4"), "kernel": ("kernel", "#d1382c")}
STYLES = ["dt 1 pt 7", "dt 2 pt 5", "dt 3 pt 9", "dt 4 pt 13"]
WIDTH, HEIGHT = 480, 380 # of a panel


def read(path):
    """{type: {operation: {(key, entries, threads, engine): ns}}}, in the order of the file."""
    with open(path) as f:
        results = json.load(f)
    types = {}
    for row in results["rows"]:
        part = row["case"].split("/")
        if row["bench"] != "maps" or row["min"] is None or len(part) < 4:
            continue
        threads = int(part[4]) if len(part) > 4 else 1
        rows = types.setdefault(part[0], {}).setdefault(part[1], {})
        rows[int(part[2]), int(part[3]), threads, row["engine"]] = row["min"]
    return results, types


def entries_text(n):
    if n >= 1000000 and n % 1000000 == 0:
        return f"{n // 1000000}M"
    return f"{n // 1000}k" if n >= 1000 and n % 1000 == 0 else str(n)


def lines(rows, select, label):
    """What of `rows` is in one panel: [(title, style, colour, [(x, y)])], by key and engine."""
    series = {}
    for (key, entries, threads, engine), ns in rows.items():
        if select(threads):
            series.setdefault((engine, key), []).append((entries, ns))
    keys = sorted({key for _, key in series})
    out = []
    for engine, (words, colour) in ENGINES.items():
        for i, key in enumerate(keys):
            points = sorted(series.get((engine, key), []))
            # One key size is the rule's own: 8 bytes wherever there are several.
            style = STYLES[0 if len(keys) == 1 else (keys.index(key) + 3) % 4 if 8 in keys else i]
            if points:
                title = f"{words}, {key}-byte keys" if len(keys) > 1 else words
                out.append((label(title), style, colour, points))
    return out


def panel(title, series, ylabel, log=True, legend=False):
    """Commands and inline data of one panel."""
    if log and max(y for s in series for _, y in s[3]) >= 20:
        # What is hidden behind the loop is below a nanosecond: off a logarithmic scale.
        kept = [(*s[:3], [(x, y) for x, y in s[3] if y >= 1]) for s in series]
        series = [s for s in kept if s[3]]
    ys = [y for s in series for _, y in s[3]]
    xs = sorted({x for s in series for x, _ in s[3]})
    log = log and min(ys) >= 1
    low, high = (min(ys) / 1.5, max(ys) * 1.5) if log else (0, max(max(ys) * 1.2, 1))
    if legend:  # room above the lines
        high = high * (high / low) ** 0.35 if log else high * 1.35
    out = [f'set title "{title}"', f'set ylabel "{ylabel}"', 'set xlabel "entries"',
           "set logscale x", "set logscale y" if log else "unset logscale y",
           f"set yrange [{low}:{high}]", f"set xrange [{xs[0] / 1.8}:{xs[-1] * 1.8}]",
           "set xtics (" + ", ".join(f'"{entries_text(x)}" {x}' for x in xs) + ")",
           "set key top left reverse Left samplen 2.5 maxrows 3" if legend else "unset key"]
    # Decades alone would leave a narrow range without a number.
    tics = [m * 10 ** e for e in range(7) for m in (1, 2, 5) if low <= m * 10 ** e <= high]
    if len(tics) > 9:
        tics = [t for t in tics if str(t)[0] == "1"]
    out.append("set ytics (" + ", ".join(f'"{t:,}" {t}' for t in tics) + ")" if log
               else "set ytics autofreq")
    parts = []
    for name, style, colour, points in series:
        out.append(f"$d{len(parts)} << EOD")
        out += [f"{x} {y}" for x, y in points]
        out.append("EOD")
        parts.append(f'$d{len(parts)} using 1:2 with linespoints lw 2 ps 1 lc rgb "{colour}" '
                     f'{style} title "{name}"')
    out.append("plot " + ", \\\n  ".join(parts))
    return out


def legend_panel(series):
    """The last panel: the legend alone, so that it covers no line."""
    out = ['set title ""', "unset xlabel", "unset ylabel", "unset border", "unset xtics",
           "unset ytics", "unset logscale", "set xrange [0:1]", "set yrange [0:1]", "unset grid",
           "set key default", "set key center center maxcols 1 spacing 1.5 font ',13'"]
    parts = [f'NaN with linespoints lw 2 ps 1 lc rgb "{colour}" {style} title "{name}"'
             for name, style, colour, _ in series]
    out.append("plot " + ", \\\n  ".join(parts))
    return out


def scaling(ops):
    """Rate of two threads over the rate of one, of the key size that is measured most."""
    out = []
    keys = {key for rows in ops.values() for key, _, _, _ in rows}
    key = 8 if 8 in keys else min(keys)
    chosen = [op for op in ("lookup", "update", "mixed", "push+pop") if op in ops][:3]
    for engine, (words, colour) in ENGINES.items():
        for i, op in enumerate(chosen):
            rows = ops[op]
            points = [(entries, rows[key, entries, 1, engine] / rows[key, entries, 2, engine])
                      for (k, entries, threads, e) in sorted(rows)
                      if k == key and threads == 2 and e == engine and
                      rows.get((key, entries, 1, engine), 0) > 1 and
                      rows[key, entries, 2, engine] > 0.5]
            if points:
                out.append((f"{words}, {op}", STYLES[i], colour, points))
    return key, out


def grid(ops):
    """A panel for each operation, one for two threads, and one for the legend where it is long."""
    figures = {op: lines(rows, lambda threads: threads == 1, lambda title: title)
               for op, rows in ops.items()}
    longest = max(figures.values(), key=len)
    panels = [panel(op, series, "ns per operation", legend=len(longest) <= 2)
              for op, series in figures.items() if series]
    key, pairs = scaling(ops)
    if pairs:
        bytes_of = f", {key}-byte keys" if key else ""
        panels.append(panel(f"two threads over one{bytes_of}", pairs,
                            "rate of two / rate of one", log=False, legend=True))
    if len(longest) > 2:
        panels.append(legend_panel(longest))
    return panels


def bars(name, ops):
    """Types of one or two sizes: a bar for each operation, size and number of threads."""
    rows = []
    several_keys = len({key for figures in ops.values() for key, _, _, _ in figures}) > 1
    for op, figures in ops.items():
        for key, entries, threads in sorted({k[:3] for k in figures}):
            text = op if name == "ringbuf" else f"{op}\\n{entries_text(entries)}"
            if several_keys:
                text += f"\\n{key}-byte keys"
            if threads == 2:
                text += "\\n2 threads"
            rows.append((text, [figures.get((key, entries, threads, e)) for e in ENGINES]))
    out = ["set style data histograms", "set style histogram clustered gap 1",
           "set style fill solid 0.9 border -1", "set boxwidth 0.9", "unset logscale",
           'set title ""', 'set ylabel "ns per operation"', "unset xlabel", "set yrange [0:*]",
           "set xtics scale 0", "set bmargin 7", "set key top left", "$d << EOD"]
    out += [f'"{text}" ' + " ".join("NaN" if ns is None else str(ns) for ns in values)
            for text, values in rows]
    out += ["EOD", "plot " + ", ".join(
        f'$d using {i + 2}:xtic(1) lc rgb "{colour}" title "{words}", '
        f'"" using ($0 + {(i - 0.5) / 3:.3f}):{i + 2}:(sprintf("%.0f", ${i + 2})) with labels '
        'offset 0,0.6 font ",10" notitle'
        for i, (words, colour) in enumerate(ENGINES.values()))]
    return out


def rules(ops):
    series = []
    for i, (op, rows) in enumerate(ops.items()):
        words = {"hash": "hash table", "lpm_trie": "LPM trie", "list": "linear list"}.get(op, op)
        for name, style, colour, points in lines(rows, lambda t: t == 1, lambda title: title):
            series.append((f"{name}, {words}", STYLES[i % 4], colour, points))
    out = panel("", series, "ns per packet", legend=True)
    out[2] = 'set xlabel "rules"'
    return out


def draw(name, ops, machine, out):
    kinds = max(len({k[1] for k in rows}) for rows in ops.values())
    words = {"rules": "finding the rule of a packet", "ringbuf": "ring buffer, records of 64 bytes"}
    title = f"{words.get(name, name)}: Tenon's JIT and the kernel, ns per operation from a program"
    if name == "rules":
        title = "Finding the rule of a packet: Tenon's JIT and the kernel"
    subtitle = f"{machine['cpu']}, Linux {machine['kernel']}; minima, the loop subtracted"
    single = name == "rules" or kinds < 3
    panels = [] if single else grid(ops)
    columns = 4 if len(panels) in (4, 7, 8) else min(len(panels), 3)
    rows = 1 if single else (len(panels) + columns - 1) // columns
    size = (1000, 620) if single else (WIDTH * columns, HEIGHT * rows + 80)
    head = [f'set terminal pngcairo size {size[0]},{size[1]} font "Sans,11" background "white"',
            f'set output "{out}"', "set border 3", "set xtics nomirror", "set ytics nomirror",
            'set grid y lc rgb "#dddddd" lt 1', "set encoding utf8",
            "set termoption noenhanced"]
    both = f"{title}\\n{subtitle}"
    if single:
        body = rules(ops) if name == "rules" else bars(name, ops)
        # The panel's own title takes the words.
        body = [f'set title "{both}" font ",13"' if line == 'set title ""' else line
                for line in body]
    else:
        left, right = 90 / size[0], 1 - 20 / size[0]
        body = [f'set multiplot layout {rows},{columns} title "{both}" font ",15" '
                f"margins {left},{right},{55 / size[1]},{1 - 95 / size[1]} "
                f"spacing {100 / size[0]},{100 / size[1]}"]
        for p in panels:
            body += p
        body.append("unset multiplot")
    subprocess.run(["gnuplot"], input="\n".join(head + body) + "\n", text=True, check=True)


def write_table(types, path):
    with open(path, "w") as f:
        f.write("| case | Tenon, ns | kernel, ns | kernel / Tenon | Tenon, 2 threads / 1 |\n"
                "| --- | ---: | ---: | ---: | ---: |\n")
        for name, ops in types.items():
            for op, rows in ops.items():
                for key, entries, threads in sorted({k[:3] for k in rows}):
                    ours, theirs = (rows.get((key, entries, threads, e)) for e in ENGINES)
                    one = rows.get((key, entries, 1, "jit"))
                    case = f"{name}/{op}/{key}/{entries}" + ("/2" if threads == 2 else "")
                    ratio = f"{theirs / ours:.2f}" if ours and theirs and ours > 0.2 else ""
                    both = f"{one / ours:.2f}" if threads == 2 and one and ours and ours > 0.2 \
                        else ""
                    show = ["" if v is None else f"{v:.2f}" for v in (ours, theirs)]
                    f.write(f"| {case} | {show[0]} | {show[1]} | {ratio} | {both} |\n")


def main():
    results, types = read(sys.argv[1])
    directory = sys.argv[2]
    os.makedirs(directory, exist_ok=True)
    write_table(types, os.path.join(directory, "maps.md"))
    for name, ops in types.items():
        draw(name, ops, results["machine"], os.path.join(directory, f"{name}.png"))
    print(f"plots: {directory}/<type>.png of {', '.join(types)}; as a table: {directory}/maps.md")


if __name__ == "__main__":
    main()
