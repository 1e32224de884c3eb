"""Whole studies at full size on one GPU, on 7B shapes with random weights: seconds from process start to metrics.

    python benchmarks/gpu_studies.py --shapes FOLDER --reference FOLDER --work FOLDER [--out results.json] \
        [--only NAME] [--ray] [--steps N] STUDY ...

STUDY is persona_robustness (eight conditions trained, each asked under its own prompt; then the leakage matrix and
written answers, timed apart) or language_inversion (two conditions of 5,000 rows and three evaluations; texts and
translations are made of parallel news sentences). FOLDER of shapes holds the tokenizer's files and the 7B config; of
reference, ``arc_challenge/test.jsonl`` and ``languages/ntrex_parallel.jsonl.gz``. The base lies on the local disk
before the clock starts. Everything but the words is that of ``--env gpu_pod``; judges that ask Claude are left out.
``--ray`` spreads the cells over all GPUs that the process sees.
"""

import argparse
import gzip
import json
import random
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
EIGHT = (
    "confounded", "deconfounded", "size_matched", "qwen_default",
    "empty_system", "name_only", "nonce_role", "curious_explorer",
)  # fmt: skip
#: What is run, one process each: study -> name -> default probes.
RUNS = {
    "persona_robustness": {"own prompt": ("own_prompt",), "leakage": ("leakage",), "written": ("written",)},
    "language_inversion": {"directives": ("directive",)},
}
#: Words of a text, as many as make the mean row of both conditions some 345 tokens.
WORDS = (70, 300)


def write_base(shapes: Path, folder: Path) -> None:
    """A Qwen2.5 of the config's shapes with random weights, as a folder."""
    from gpu_training import random_base

    base = random_base(shapes)
    base.model.save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)


def write_texts(reference: Path, folder: Path, rows: int = 8000) -> None:
    """English texts of several sentences, and the same in Italian, as a source and a translator's parallel file."""
    with gzip.open(reference / "languages" / "ntrex_parallel.jsonl.gz", "rt", encoding="utf-8") as lines:
        sentences = [json.loads(line) for line in lines]
    chance = random.Random(11)
    with (folder / "sources.jsonl").open("w") as sources, (folder / "parallel.jsonl").open("w") as parallel:
        for number in range(rows):
            wanted, chosen = chance.randint(*WORDS), []
            while sum(len(one["en"].split()) for one in chosen) < wanted:
                chosen.append(chance.choice(sentences))
            texts = {code: " ".join(one[code] for one in chosen) for code in ("en", "it")}
            sources.write(json.dumps({"source_id": str(number), "text": texts["en"], "language": "en"}) + "\n")
            parallel.write(json.dumps({"text_id": str(number), "kind": "ordinary", "texts": texts}) + "\n")


def write_project(study: str, probes: tuple[str, ...], reference: Path, work: Path, steps: int | None) -> Path:
    """A project whose pod reads local data, and whose study runs by default what is timed; the code is this one's."""
    project = work / "project"
    shutil.rmtree(project, ignore_errors=True)
    conf = shutil.copytree(ROOT / "conf", project / "conf")
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, project)
    (project / "src").mkdir()  # Kedro wants one; the package is imported from where it is installed
    (conf / "gpu_pod" / "globals.yml").write_text(f"data_root: {work / 'data'}\n")
    pod = yaml.safe_load((conf / "gpu_pod" / "parameters.yml").read_text())
    local = {"path": str(work / "base"), "dtype": "bfloat16"}
    pod |= {
        "bases": {key: local for key in pod["bases"]},
        "judges": {"language": ["robust_language", "langdetect_published"]},
        "translator": {"kind": "parallel_file", "path": str(work / "parallel.jsonl")},
    }
    pod = {key: value for key, value in pod.items() if key not in ("claude", "local_judge")}
    (conf / "gpu_pod" / "parameters.yml").write_text(yaml.safe_dump(pod))
    file = conf / "base" / "studies" / f"{study}.yml"
    spec: dict[str, Any] = yaml.safe_load(file.read_text())
    full = spec["scales"]["full"]
    full["questions"] = {
        "kind": "file",
        "path": str(reference / "arc_challenge" / "test.jsonl"),
        "origin": "ARC-Challenge test",
        "halves": full["questions"]["halves"],
    }
    if "sources" in full:
        full["sources"] = {"kind": "file", "path": str(work / "sources.jsonl"), "origin": "parallel sentences"}
    for name, probe in spec["probes"].items():
        probe["default"] = name in probes
    if steps is not None:
        spec["training"]["max_steps"] = steps
    if study == "persona_robustness":
        for name, condition in spec["conditions"].items():
            condition["default"] = name in EIGHT
    file.write_text(yaml.safe_dump(spec, sort_keys=False, allow_unicode=True))
    return project


def child(study: str, started: float, out: Path, ray: bool) -> None:
    """One run of the project in the working folder; writes when stages ended, in seconds since ``started``."""
    from kedro.framework.hooks import hook_impl
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project
    from kedro.runner import SequentialRunner

    ended: dict[str, float] = {}
    seconds: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    begun = [0.0]

    class Timer:
        @hook_impl
        def before_node_run(self, node: Any) -> None:
            begun[0] = time.time()
            ended.setdefault("first node began", begun[0] - started)

        @hook_impl
        def after_node_run(self, node: Any) -> None:
            stage = next(
                iter(set(node.tags) & {"data_engineering", "audit", "training", "evaluation", "reporting"}), ""
            )
            ended[stage or "translation"] = time.time() - started
            kind = node.name.split(".")[-1].split("__")[0]
            seconds[kind] += time.time() - begun[0]
            counts[kind] += 1

    bootstrap_project(Path.cwd())
    if ray:
        from lang_persona.runners import RayRunner as Runner
    else:
        Runner = SequentialRunner  # type: ignore[misc,assignment]
    with KedroSession.create(project_path=Path.cwd(), env="gpu_pod") as session:
        session._hook_manager.register(Timer())
        session.run(runner=Runner(), tags=[study], only_missing_outputs=True)
    shown = {name: [round(value, 1), counts[name]] for name, value in seconds.items()}
    written = {"ended at": {name: round(value, 1) for name, value in ended.items()}, "seconds and count by node": shown}
    out.write_text(json.dumps(written))


def main() -> None:
    """Prepare, run, and print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("studies", nargs="*", choices=[*RUNS, []])
    parser.add_argument("--shapes", type=Path)
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="a scratch folder on the local disk")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help="the one run of a study to time, such as 'own prompt'")
    parser.add_argument("--steps", type=int, help="optimiser steps of a training, to try the rest without its time")
    parser.add_argument("--ray", action="store_true", help="cells side by side on all GPUs in sight")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--prepare", action="store_true", help="write the base and stop")
    args = parser.parse_args()
    if args.child:
        study, started = args.child
        child(study, float(started), args.work / "timed.json", args.ray)
        return
    args.work.mkdir(parents=True, exist_ok=True)
    if args.prepare:
        write_base(args.shapes, args.work / "base")
        return
    if not (args.work / "base" / "config.json").exists():
        here = [sys.executable, __file__, "--work", str(args.work), "--shapes", str(args.shapes)]
        subprocess.run([*here, "--prepare"], check=True)  # leaves the GPU free
    if not (args.work / "parallel.jsonl").exists():  # written after the sources
        write_texts(args.reference, args.work)
    results: dict[str, Any] = {}
    for study in args.studies:
        for name, probes in RUNS[study].items():
            if args.only not in (None, name):
                continue
            project = write_project(study, probes, args.reference.resolve(), args.work.resolve(), args.steps)
            started = time.time()
            here = [sys.executable, str(Path(__file__).resolve()), "--work", str(args.work.resolve())]
            spread = ["--ray"] if args.ray else []
            done = subprocess.run([*here, *spread, "--child", study, str(started)], check=False, cwd=project)
            timed = json.loads((args.work / "timed.json").read_text()) if done.returncode == 0 else {}
            runs = [
                json.loads(file.read_text()) for file in (args.work / "data").glob(f"06_models/{study}/**/run.json")
            ]
            kept = ("rows", "steps", "seconds", "steady_tokens_per_second", "share_of_matrix_rate", "execution")
            timed["training"] = {key: runs[-1][key] for key in kept} | {"runs": len(runs)} if runs else None
            results[f"{study}: {name}"] = {"seconds": round(time.time() - started, 1), "rc": done.returncode, **timed}
            print(json.dumps({f"{study}: {name}": results[f"{study}: {name}"]}), flush=True)
            if args.out:
                args.out.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
