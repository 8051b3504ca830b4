"""Writes the page on recommendations: what each setting of Recommend costs and brings, and whether hubs matter.

    python -m benchmarks.judging GTZAN --output docs/recommendation.md

GTZAN is a folder with the clips (audio), the log-mel archive (log_mel_train_valid.npz) and the tags
(musicnn_tags_train.npz). Judges each set as `segue-trainer evaluate --recommend` does. Mutual proximity (Schnitzer et
al. 2012), which lowers the similarity to hubs, is compared with the cosine. Takes some ten minutes.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from benchmarks.judging.hubs import hub_rows
from segue.core.paths import shipped_models
from segue.trainer.commands.evaluate import Evaluation, evaluate_input
from segue.trainer.outputs import write_text
from segue.trainer.reporting.markdown import table
from segue.trainer.reporting.recommendations import EXPLANATION, markdown
from segue.trainer.settings import EvaluateSettings


@dataclass(frozen=True)
class _Set:
    """A set of tracks, and the network that compares them.

    Attributes:
        title: heading of its section.
        remark: what its figures can say.
        model: name of the network.
        options: its options of ``segue-trainer evaluate``, with paths in the folder.
    """

    title: str
    remark: str
    model: str
    options: tuple[str, ...]

    @property
    def command(self) -> str:
        """The command that prints the same figures."""
        return f"segue-trainer evaluate --recommend --model {self.model} {' '.join(self.options)}"

    def settings(self, folder: Path) -> EvaluateSettings:
        """Returns the settings of the command."""
        values = dict(zip(self.options[::2], self.options[1::2], strict=True))
        return EvaluateSettings(
            model=shipped_models() / self.model,
            source=folder / values["--input"] if "--input" in values else None,
            tags=folder / values["--tags"] if "--tags" in values else None,
            split=values.get("--split"),
            side=values.get("--side"),
            pool=values.get("--pool"),
            as_json=False,
            predictions=None,
            report=None,
            recommend=True,
            artists=None,
        )


_ARCHIVE = ("--input", "log_mel_train_valid.npz")
SETS = (
    _Set(
        "Real clips, segue-accurate",
        "The embedding that ships, of real audio; no genre of these clips had a part in it. The clips are few, and "
        "by 46 artists, so a limit for an artist leaves too few clips of most genres. The predicted genres come "
        "from a head that was trained on some of the clips.",
        "segue-accurate",
        ("--input", "audio"),
    ),
    _Set(
        "Training clips of GTZAN, mean tags",
        "A larger set, by 108 artists. Its audio is not at hand, so the tags that MusiCNN predicts are compared "
        "instead of the embedding; no genre of these clips had a part in them. The predicted genres are too good, "
        "since the head was trained on these clips.",
        "segue-accurate",
        ("--tags", "musicnn_tags_train.npz"),
    ),
    _Set(
        "All clips of the archive, segue-fast",
        "segue-fast was trained on these clips with their genres, so that its precision is too good. Costs, variety "
        "and hubs show how the settings differ.",
        "segue-fast",
        _ARCHIVE,
    ),
    _Set(
        "Validation clips, to which training clips are recommended, segue-fast",
        "As above. Hardly any artist is on both sides, so a seed has few tracks of its own artist to find.",
        "segue-fast",
        (*_ARCHIVE, "--split", "fault-filtered", "--side", "valid", "--pool", "train"),
    ),
)

_INTRODUCTION = f"""\
# Recommendations

What each setting of Recommend costs and brings, by the code with which the server chooses tracks. Each row changes one
setting against the nearest tracks; [ADR 0067](adr/0067-judge-of-recommendations.md) explains the measures and what
follows from them.

{EXPLANATION}

This command writes the page from the clips, the archive and the tags of GTZAN in a folder:

```
python -m benchmarks.judging GTZAN --output docs/recommendation.md
```
"""

_HUBS = """\
## Hubs

Mutual proximity (Schnitzer, Flexer, Schedl and Widmer, "Local and Global Scaling Reduce Hubs in Space", 2012) replaces
the cosine of two tracks by the share of the catalogue that is less similar to both than they are to each other.
Greatest is the number of lists that the most frequent track is in, of the lists to all tracks of the set.
"""


def main() -> None:
    """Judges each set, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    sections, hubs = [], []
    for each in SETS:
        evaluation = evaluate_input(each.settings(options.folder))
        sections.append(_section(each, evaluation))
        if evaluation.pool is None:
            hubs += hub_rows(each.title, evaluation)
        print(f"judged: {each.title}", flush=True)
    head = ("set", "compared by", "P@10", "skew", "greatest")
    text = "\n".join([_INTRODUCTION, *sections, _HUBS, *table(head, hubs)])
    write_text(options.output, text + "\n")


def _section(each: _Set, evaluation: Evaluation) -> str:
    if evaluation.judged is None:
        raise ValueError("recommendations were not judged")
    return "\n".join(
        [f"## {each.title}", "", each.remark, "", "```", each.command, "```", "", *markdown(evaluation.judged), ""]
    )


if __name__ == "__main__":
    main()
