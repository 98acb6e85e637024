"""What stands behind E chi: the topology of the witness set of random Gaussian layers, n = 3, 4, 5.

The Euler heuristic takes E chi, the expected Euler characteristic of the witness set
{x on the sphere : fewer than n rows positive}, for P(not injective): right if the set, when it is not empty, were one
contractible piece, chi = 1. Here chi and the Betti numbers of many matrices are computed exactly and tabulated.

Run: python examples/why_euler_fails.py [trials for n = 3, by default 3000]   (two to three minutes on two cores)
Writes results/why_euler_fails.png, .txt and .npz.
"""

import sys
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from polyinj.simulation.ensembles import GaussianEnsemble
from polyinj.simulation.estimate import Job, simulate_jobs
from polyinj.simulation.statistics import betti_numbers
from polyinj.theory.euler import expected_euler_characteristic

RATIOS = np.arange(3, 8.01, 0.5)
DIMENSIONS = (3, 4, 5)
SEED = 20
# Values of chi beyond are drawn at the border.
CLIP = 15
RESULTS = Path("results")


def run(trials):
    """{n: [(m, Betti numbers of shape (trials, n))]}; fewer trials for larger n."""
    shapes = [(n, m) for n in DIMENSIONS for m in sorted({round(float(r) * n) for r in RATIOS})]
    jobs = [Job(GaussianEnsemble(m, n), betti_numbers, max(1, trials // (n - 2))) for n, m in shapes]
    tables = {}
    for (n, m), result in zip(shapes, simulate_jobs(jobs, seed=SEED), strict=True):
        tables.setdefault(n, []).append((m, result.values[:, :n].astype(int)))
    return tables


def alternating(betti):
    return betti[:, ::2].sum(axis=1) - betti[:, 1::2].sum(axis=1)


def carriers(chi):
    """The least share of the matrices that holds half of sum |chi|."""
    sizes = np.sort(np.abs(chi))[::-1]
    if not sizes.any():
        return np.nan
    return (np.searchsorted(np.cumsum(sizes), sizes.sum() / 2) + 1) / len(sizes)


def summarise(n, m, betti):
    chi = alternating(betti)
    witness = betti[:, 0] > 0
    given = betti[witness]
    return {
        "m/n": m / n,
        "trials": len(betti),
        "P(not inj)": witness.mean(),
        "E chi": float(expected_euler_characteristic(m, n)),
        "mean chi": chi.mean(),
        "stderr": chi.std(ddof=1) / np.sqrt(len(chi)),
        "chi given not inj": chi[witness].mean() if witness.any() else np.nan,
        "P(chi = 1 given not inj)": (chi[witness] == 1).mean() if witness.any() else np.nan,
        "betti": given.mean(axis=0) if witness.any() else np.full(n, np.nan),
        "share with half of sum |chi|": carriers(chi),
    }


def draw(tables):
    figure = Figure(figsize=(10.5, 8.6), layout="constrained")
    panels = figure.subplots(3, 3, sharex=True)
    for column, n in enumerate(DIMENSIONS):
        rows = [summarise(n, m, betti) for m, betti in tables[n]]
        ratio = np.array([row["m/n"] for row in rows])
        top, middle, bottom = panels[:, column]
        draw_distribution(figure, top, n, tables[n], column == 2)
        top.set_title(f"n = {n}", fontsize=11)
        for i in range(n):
            mean = np.array([row["betti"][i] for row in rows])
            middle.plot(
                ratio,
                np.where(mean > 0, mean, np.nan),
                marker="o",
                ms=3,
                lw=1.1,
                color=colormaps["viridis"](i / 5),
                label=f"$b_{i}$",
            )
        middle.set_yscale("log")
        middle.set_ylim(5e-4, 30)
        middle.axhline(1, color="0.8", lw=0.8, zorder=0)
        middle.legend(frameon=False, fontsize=8, ncols=2)
        mean, error = (np.array([row[name] for row in rows]) for name in ("mean chi", "stderr"))
        bottom.axhline(1, color="0.8", lw=0.8, zorder=0)
        bottom.plot(ratio, [row["E chi"] for row in rows], color="C0", lw=1.1, label="E χ (exact)")
        bottom.errorbar(
            ratio, mean, 2 * error, color="C0", ls="", marker="o", ms=3, elinewidth=0.9, label="mean χ ± 2 s.e."
        )
        bottom.plot(
            ratio, [row["P(not inj)"] for row in rows], color="C3", marker="s", ms=3, lw=1.1, label="P(not injective)"
        )
        bottom.plot(
            ratio,
            [row["share with half of sum |chi|"] for row in rows],
            color="0.35",
            marker="^",
            ms=3,
            lw=1.1,
            label="least share with half of Σ|χ|",
        )
        bottom.set_yscale("log")
        bottom.set_ylim(5e-4, 12)
        bottom.set_xlabel("aspect ratio m/n")
    panels[0, 0].set_ylabel(f"χ if not injective (clipped at ±{CLIP})", fontsize=9)
    panels[1, 0].set_ylabel("mean Betti numbers if not injective", fontsize=9)
    panels[2, 0].set_ylabel("of all matrices", fontsize=9)
    panels[2, 0].legend(frameon=False, fontsize=7.5, loc="lower left")
    figure.suptitle("Witness sets of Gaussian matrices: exact topology, sampled", fontsize=12)
    return figure


def draw_distribution(figure, axes, n, table, with_bar):
    """One column of shades for each aspect ratio: the share of the non-injective matrices with each chi."""
    ratios = np.array([m / n for m, _ in table])
    middles = (ratios[1:] + ratios[:-1]) / 2
    edges = np.concatenate([[2 * ratios[0] - middles[0]], middles, [2 * ratios[-1] - middles[-1]]])
    for k, (_, betti) in enumerate(table):
        chi = alternating(betti)[betti[:, 0] > 0]
        if not len(chi):
            continue
        shares = np.bincount(np.clip(chi, -CLIP, CLIP) + CLIP, minlength=2 * CLIP + 1) / len(chi)
        grid = np.ma.masked_equal(shares[:, None], 0)
        place = edges[k : k + 2], np.arange(-CLIP, CLIP + 2) - 0.5
        mesh = axes.pcolormesh(*place, grid, cmap="viridis_r", norm=LogNorm(1e-3, 1), rasterized=True)
        axes.plot(ratios[k], chi.mean(), marker="_", ms=9, color="C3", mew=1.6)
    axes.axhline(1, color="0.6", lw=0.7, zorder=0)
    axes.set_ylim(-CLIP - 0.5, CLIP + 0.5)
    if with_bar:
        figure.colorbar(mesh, ax=axes, label="share (red: mean)")


def observe(n, table):
    """What the table of one n says where fewer than half of its matrices, but at least 10, are not injective."""
    rows = [summarise(n, m, betti) for m, betti in table if 10 <= (betti[:, 0] > 0).sum() < len(betti) / 2]
    if not rows:
        return f"n = {n}: no aspect ratio with at least 10 non-injective matrices, and fewer than half"

    def span(values, digits=2):
        return f"{min(values):.{digits}f} to {max(values):.{digits}f}"

    betti = np.array([row["betti"] for row in rows])
    holes = ", ".join(f"b_{i} {span(betti[:, i], 3)}" for i in range(1, n) if betti[:, i].any())
    return (
        f"n = {n}, m/n {span([row['m/n'] for row in rows])}, given not injective: mean chi "
        f"{span([row['chi given not inj'] for row in rows])}; mean b_0 {span(betti[:, 0])}; {holes or 'no holes'}; "
        f"chi = 1 in a share {span([row['P(chi = 1 given not inj)'] for row in rows])}. Half of sum |chi| lay on "
        f"{span([100 * row['share with half of sum |chi|'] for row in rows])} % of all matrices."
    )


def describe(tables):
    lines = [
        "Witness sets of Gaussian matrices: exact Betti numbers over GF(2); seed " + str(SEED),
        "chi: Euler characteristic; b_i: mean Betti numbers given not injective;",
        "half: the least share of all matrices that holds half of sum |chi|.",
        "",
    ]
    for n in DIMENSIONS:
        lines.append(f"n = {n}")
        lines.append("   m/n trials  P(not)   E chi  mean chi +- s.e.  chi|not  P(chi=1|not)   half   b_0, b_1, ...")
        for m, betti in tables[n]:
            row = summarise(n, m, betti)
            numbers = " ".join(f"{b:.3f}" for b in row["betti"])
            lines.append(
                f"{row['m/n']:6.2f} {row['trials']:6d} {row['P(not inj)']:7.3f} {row['E chi']:7.3f} "
                f"{row['mean chi']:8.3f} +- {row['stderr']:.3f} {row['chi given not inj']:8.3f} "
                f"{row['P(chi = 1 given not inj)']:10.3f} {row['share with half of sum |chi|']:10.4f}   {numbers}"
            )
        lines.append("")
    lines += ["Seen, where fewer than half of the matrices, but at least 10, were not injective:"]
    lines += [observe(n, tables[n]) for n in DIMENSIONS]
    return "\n".join(lines)


def main():
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    tables = run(trials)
    RESULTS.mkdir(exist_ok=True)
    np.savez_compressed(
        RESULTS / "why_euler_fails.npz", **{f"n{n}_m{m}": betti for n in DIMENSIONS for m, betti in tables[n]}
    )
    text = describe(tables)
    (RESULTS / "why_euler_fails.txt").write_text(text)
    draw(tables).savefig(RESULTS / "why_euler_fails.png", dpi=160)
    print(text)


if __name__ == "__main__":
    main()
