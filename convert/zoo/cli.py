"""``convert zoo``: parses and prints; :mod:`convert.zoo.run` and its siblings do the work."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from verify.console import progress_console, result_console
from verify.errors import ExitCode, InputError

if TYPE_CHECKING:
    from convert.zoo.engines.base import Engine
    from convert.zoo.places import Places
    from convert.zoo.plan import Zoo
    from convert.zoo.result import Outcome
    from convert.zoo.run import MakeEngine
    from convert.zoo.summary.types import ZooReport


class _RunByDefault(TyperGroup):
    """``convert zoo zoo.toml`` is ``convert zoo run zoo.toml``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_RunByDefault,
    help="Whole zoos: a manifest of models, converted, quantized and verified unattended.",
    no_args_is_help=True,
)

_MANIFEST = typer.Argument(help="The zoo's manifest, a TOML file.", show_default=False, exists=True, dir_okay=False)
_OUTPUT = typer.Option(
    "--output",
    "-o",
    help="Folder for everything the run makes. If left out: the manifest's own output, or its name, here.",
)
_FILTER = typer.Option("--filter", "-f", help="Only models with tag=…, tier=…, id=… (id takes *); repeat to narrow.")
_SHARD = typer.Option("--shard", help="Only this part of the models, as 2/8: the second of eight.")
_STORE = typer.Option("--store", help="Folder or fsspec URL (s3://…) that keeps results; OUTPUT/store if left out.")
_AS_JSON = typer.Option("--json", help="Print the summary on stdout as JSON.")
_BASELINE = typer.Option("--baseline", help="The zoo.json of an earlier run, to list regressions and progressions.")
_QUIET = typer.Option("--quiet", "-q", help="No progress.")


@app.command("run")
def run_command(
    manifest: Annotated[Path, _MANIFEST],
    *,
    output: Annotated[Path | None, _OUTPUT] = None,
    filters: Annotated[list[str] | None, _FILTER] = None,
    shard: Annotated[str, _SHARD] = "",
    targets: Annotated[
        str, typer.Option("--targets", help="Make only these files of those that the manifest asks for: float32,int8.")
    ] = "",
    jobs: Annotated[
        int | None, typer.Option("--jobs", "-j", min=1, help="How many jobs run at once; one a core if left out.")
    ] = None,
    memory: Annotated[
        str, typer.Option(help="What all jobs together may use, as 12GiB; 80 % of this machine's if left out.")
    ] = "",
    engine: Annotated[str, typer.Option(help="local, or ray: a cluster.", metavar="local|ray")] = "local",
    ray_address: Annotated[
        str, typer.Option(help="A running Ray cluster (auto, host:port); one is started here if left out.")
    ] = "",
    store: Annotated[str | None, _STORE] = None,
    retry: Annotated[
        str, typer.Option(help="Run again what ended so: oom,timeout, signal, conversion … or all.", metavar="OUTCOMES")
    ] = "",
    baseline: Annotated[Path | None, _BASELINE] = None,
    cold: Annotated[bool, typer.Option("--cold", help="Start every process afresh instead of from warm ones.")] = False,
    as_json: Annotated[bool, _AS_JSON] = False,
    quiet: Annotated[bool, _QUIET] = False,
) -> None:
    """Convert, quantize and verify every model of a zoo; what has not changed since an earlier run is reused."""
    from convert.zoo.machine import usable_cores
    from convert.zoo.manifest import only_targets
    from convert.zoo.progress import ZooProgress
    from convert.zoo.run import ZooRun, run_zoo

    zoo = _zoo(manifest, filters, shard)
    if targets:
        zoo = only_targets(zoo, targets)
    slots = jobs or usable_cores()
    memory_bytes = _memory_bytes(memory)
    run = ZooRun(
        places=_places(zoo, output, manifest),
        store=store,
        retry=_outcomes(retry),
        memory_bytes=memory_bytes if engine == "local" else 0,
        slots=slots,
        engine=engine,
        shard=shard,
    )
    progress = ZooProgress(progress_console(), total=len(zoo.models), slots=slots, quiet=quiet)
    earlier = _baseline(baseline)
    make_engine = _engine(engine, slots, memory_bytes, ray_address, cold=cold)
    _finish(run_zoo(zoo, run, make_engine, progress), run.places, earlier, as_json=as_json)


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder of checkpoints.", exists=True, file_okay=False)],
    manifest: Annotated[Path | None, typer.Option("--output", "-o", help="FOLDER/zoo.toml if left out.")] = None,
) -> None:
    """Write a manifest from a folder of checkpoints, for you to complete."""
    from convert.zoo.manifest.init import write_manifest

    written = write_manifest(folder, manifest or folder / "zoo.toml")
    result_console().print(written.summary, markup=False, soft_wrap=True)


@app.command()
def plan(
    manifest: Annotated[Path, _MANIFEST],
    *,
    output: Annotated[Path | None, _OUTPUT] = None,
    filters: Annotated[list[str] | None, _FILTER] = None,
    shard: Annotated[str, _SHARD] = "",
    store: Annotated[str | None, _STORE] = None,
) -> None:
    """Write the job files and run nothing: for Slurm, Kubernetes or any other queue. Prints their paths."""
    from convert.zoo.run import ZooRun, plan_zoo

    zoo = _zoo(manifest, filters, shard)
    for path in plan_zoo(zoo, ZooRun(places=_places(zoo, output, manifest), store=store, shard=shard)):
        sys.stdout.write(f"{path}\n")


@app.command()
def collect(
    manifest: Annotated[Path, _MANIFEST],
    *,
    output: Annotated[Path | None, _OUTPUT] = None,
    filters: Annotated[list[str] | None, _FILTER] = None,
    shard: Annotated[str, _SHARD] = "",
    store: Annotated[str | None, _STORE] = None,
    baseline: Annotated[Path | None, _BASELINE] = None,
    as_json: Annotated[bool, _AS_JSON] = False,
) -> None:
    """Write the summary of jobs that something else ran."""
    from convert.zoo.run import ZooRun, collect_zoo

    zoo = _zoo(manifest, filters, shard)
    run = ZooRun(places=_places(zoo, output, manifest), store=store, shard=shard, engine="jobs")
    report = collect_zoo(zoo, run)
    _finish(report, run.places, _baseline(baseline), as_json=as_json)


@app.command()
def gc(
    store: Annotated[str, typer.Argument(help="A zoo's output folder, or its store: a folder or an fsspec URL.")],
    *,
    max_size: Annotated[
        str | None, typer.Option("--max-size", help="Remove what was not used for longest until this fits, as 20GB.")
    ] = None,
    reports_only: Annotated[
        bool, typer.Option("--reports-only", help="Keep every result and its reports, and none of the models.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> None:
    """Make room in a store: what no result names goes always, what was not used for longest when told a size."""
    from convert.zoo.manifest.units import parse_bytes
    from convert.zoo.places import Places
    from convert.zoo.store import open_store
    from convert.zoo.store.gc import gc as collect_garbage
    from convert.zoo.store.reports import keep_reports

    inside = Places(Path(store)).store
    opened = open_store(str(inside) if inside.is_dir() else store)
    if reports_only:
        if dry_run:
            raise InputError("--reports-only cannot be tried with --dry-run", fix="leave one of them away")
        keep_reports(opened)
    report = collect_garbage(opened, parse_bytes(max_size) if max_size else None, dry_run=dry_run)
    removed = "would go" if dry_run else "removed"
    result_console().print(
        f"{removed}: {report.removed_entries} results and stages, {report.removed_blobs} files, "
        f"{report.removed_bytes / 1e6:.1f} MB; left: {report.left_entries} and {report.left_bytes / 1e6:.1f} MB",
        soft_wrap=True,
    )


@app.command()
def diff(
    earlier: Annotated[Path, typer.Argument(help="The zoo.json of an earlier run.", exists=True, dir_okay=False)],
    later: Annotated[Path, typer.Argument(help="The zoo.json of a later run.", exists=True, dir_okay=False)],
    *,
    as_json: Annotated[bool, _AS_JSON] = False,
) -> None:
    """Say what changed between two runs; leaves with 1 when something got worse."""
    from convert.zoo.summary.diff import Direction, render_diff_json
    from convert.zoo.summary.diff import diff as compare
    from convert.zoo.summary.json import read_report
    from convert.zoo.summary.terminal import render_changes

    changes = compare(read_report(earlier), read_report(later))
    if as_json:
        sys.stdout.write(render_diff_json(changes))
    else:
        render_changes(changes, result_console())
    raise typer.Exit(int(ExitCode.PARITY_FAILED if changes.of(Direction.REGRESSION) else ExitCode.PASS))


@app.command()
def merge(
    shards: Annotated[list[Path], typer.Argument(help="Output folders of the shards.", exists=True, file_okay=False)],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the summary of the whole.")],
    baseline: Annotated[Path | None, _BASELINE] = None,
) -> None:
    """Write one summary of a zoo whose shards ran apart; leaves with 4 when a shard is missing."""
    from convert.zoo.summary.merge import merge_folders
    from convert.zoo.summary.standing import exit_code
    from convert.zoo.summary.terminal import render_summary

    report = merge_folders(shards, output, _baseline(baseline))
    render_summary(report, result_console(), output / "zoo.html")
    raise typer.Exit(int(ExitCode.INFRASTRUCTURE if report.shard else exit_code(report.rows)))


def _zoo(manifest: Path, filters: list[str] | None, shard: str) -> Zoo:
    from datetime import UTC, datetime

    from convert.zoo.manifest import load_zoo, select
    from convert.zoo.manifest import shard as take_shard

    zoo = load_zoo(manifest, datetime.now(UTC).date())
    if filters:
        zoo = select(zoo, filters)
    return take_shard(zoo, shard) if shard else zoo


def _places(zoo: Zoo, output: Path | None, manifest: Path) -> Places:
    from convert.zoo.places import Places

    return Places(output or zoo.output or Path(manifest.stem))


def _outcomes(text: str) -> frozenset[Outcome]:
    from convert.zoo.result import Outcome

    if text == "all":
        return frozenset(Outcome)
    known = {str(outcome).replace(" ", "-"): outcome for outcome in Outcome}
    names = [name.strip().replace(" ", "-") for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"--retry {unknown[0]!r} is no outcome", fix=f"use all, or some of {', '.join(known)}")
    return frozenset(known[name] for name in names)


def _memory_bytes(text: str) -> int:
    from convert.zoo.machine import usable_memory_bytes
    from convert.zoo.manifest.units import parse_bytes

    return parse_bytes(text) if text else usable_memory_bytes()


def _engine(name: str, slots: int, memory_bytes: int, ray_address: str, *, cold: bool) -> MakeEngine:
    def local(places: Places, lock: int) -> Engine:
        from convert.zoo.engines.local import LocalEngine

        return LocalEngine(places.jobs, slots, memory_bytes, cold=cold, held_open=(lock,))

    def ray(places: Places, lock: int) -> Engine:
        from convert.zoo.engines.ray_engine import RayEngine

        address = ray_address or None
        return RayEngine(places.jobs, slots, memory_bytes, address=address, cold=cold, held_open=(lock,))

    engines: dict[str, MakeEngine] = {"local": local, "ray": ray}
    if name not in engines:
        raise InputError(f"--engine {name!r} is none of {', '.join(engines)}", fix="use one of them")
    return engines[name]


def _baseline(path: Path | None) -> ZooReport | None:
    from convert.zoo.summary.json import read_report

    return read_report(path) if path is not None else None


def _finish(report: ZooReport, places: Places, baseline: ZooReport | None, *, as_json: bool) -> None:
    """Write the summary, print it, and leave with the exit code of the worst unexpected outcome."""
    from convert.zoo.summary.build import write_summary
    from convert.zoo.summary.standing import exit_code
    from convert.zoo.summary.terminal import render_summary

    changes = write_summary(report, places.output, baseline)
    if as_json:
        sys.stdout.write((places.output / "zoo.json").read_text(encoding="utf-8"))
    else:
        render_summary(report, result_console(), places.output / "zoo.html", changes)
    raise typer.Exit(int(exit_code(report.rows)))
