"""Measures redaction beside gitleaks and detect-secrets on the same corpora, which have different authors.

`nox -s redaction` draws three fresh seeds; `nox -s redaction -- 7 8 9` uses these; `-- --missed 7` also lists what ours
missed and took wrongly. Fails if recall is below or the share of false reports above its limit.
"""

import argparse
import random
import sys
import sysconfig
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path
from time import process_time

import blind_corpus
import formats_corpus
from case import Case
from infinium_trace.redact import Redactor
from scanners import Scanner, detect_secrets, gitleaks, gitleaks_program, infinium, source_files, written

MIN_RECALL = 0.97
MAX_FALSE = 0.005
CASES = 6_000
CORPORA = {"blind": blind_corpus, "formats": formats_corpus}


def main() -> int:
    """Print the table of all seeds; return 1 if a limit is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds", nargs="*", type=int, help="seeds of the corpora (default: three random ones)")
    parser.add_argument("--cases", type=int, default=CASES, help="secrets and look-alikes for each seed")
    parser.add_argument("--missed", action="store_true", help="list the cases that ours missed or took wrongly")
    parser.add_argument("--corpus", choices=CORPORA, help="measure only this corpus")
    parser.add_argument("--ours", action="store_true", help="run only ours")
    arguments = parser.parse_args()
    scanners: dict[str, Scanner] = {"infinium": infinium}
    if not arguments.ours:
        scanners |= {"gitleaks": gitleaks} if gitleaks_program() else {}
        scanners |= {"detect-secrets": detect_secrets}
    if "gitleaks" not in scanners:
        print("gitleaks: not run.")
    met = True
    print(f"{'corpus':9}{'seed':>12}  {'scanner':16}{'recall':>8}{'false':>8}")
    seeds = arguments.seeds or random.SystemRandom().sample(range(10**9), 3)
    for corpus, seed in product([arguments.corpus] if arguments.corpus else CORPORA, seeds):
        met = _compare(corpus, seed, arguments.cases, scanners, listing=arguments.missed) and met
    _source_code()
    return 0 if met else 1


def _compare(corpus: str, seed: int, count: int, scanners: dict[str, Scanner], *, listing: bool) -> bool:
    made = CORPORA[corpus]
    secrets, others = list(made.positives(seed, count)), list(made.without_secrets(seed, count))
    met = True
    with tempfile.TemporaryDirectory(prefix="redaction-") as place:
        secret_files = written(secrets, Path(place, "secrets"))
        other_files = written(others, Path(place, "others"))
        for name, scanner in scanners.items():
            found, false = scanner(secrets, secret_files), scanner(others, other_files)
            recall, share = len(found) / len(secrets), len(false) / len(others)
            print(f"{corpus:9}{seed:>12}  {name:16}{recall:8.4f}{share:8.4f}", flush=True)
            if name == "infinium":
                met = recall >= MIN_RECALL and share <= MAX_FALSE
                if listing:
                    _list("MISSED", [case for number, case in enumerate(secrets) if number not in found])
                    _list("FALSE", [others[number] for number in sorted(false)])
    return met


def _list(title: str, cases: list[Case]) -> None:
    for topic, count in Counter(case.topic for case in cases).most_common():
        print(f"{title} {count} {topic}")
        for case in [case for case in cases if case.topic == topic][:8]:
            print("   ", repr(case.text[:240]))


def _source_code() -> None:
    """Print how much of real source code is taken for secrets, and the speed: CPU time, as other work may run."""
    texts = list(source_files(Path(sysconfig.get_paths()["stdlib"])))
    size = sum(map(len, texts)) / 2**20
    redactor = Redactor()
    began = process_time()
    for text in texts:
        redactor.text(text)
    seconds = process_time() - began
    hits = sum(redactor.counts.values())
    print(f"Python's standard library, {size:.0f} MiB: {hits / size:.2f} redactions a MiB, {size / seconds:.1f} MiB/s")


if __name__ == "__main__":
    sys.exit(main())
