from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from segue.trainer.cli.main import main
from segue.trainer.comparison.readme_table import BEGIN, END, write_summary
from tests.helpers.comparison import make_row, make_section


def test_the_short_table_is_written_between_its_marks(tmp_path: Path) -> None:
    """The rest of the page stays, and a second writing changes nothing."""
    readme = tmp_path / "README.md"
    readme.write_text(f"# Title\n\n{BEGIN}\nold\n{END}\n\nThe end.\n")
    sections = [make_section(make_row("paper-cnn", 0.6)), make_section(label="chunk-random (LEAKY)", leaky=True)]
    for _ in range(2):
        write_summary(readme, sections)
    text = readme.read_text()
    assert text.startswith(f"# Title\n\n{BEGIN}\n")
    assert text.endswith(f"{END}\n\nThe end.\n")
    assert "old" not in text
    for part in (
        "| the paper's CNN | not stated | 0.62 | 2.413 |",
        "| paper-cnn | fault-filtered, 1 seed | 0.600 [",
        "| paper-cnn | chunk-random (LEAKY) | UNMEASURED |",
        "| some layer |",
        "paper-cnn-lstm above paper-cnn, P@10: UNMEASURED",
    ):
        assert part in text


def test_a_page_without_marks_is_refused_before_any_work(tmp_path: Path) -> None:
    """The message has the lines that the page needs."""
    (tmp_path / "README.md").write_text("# Title\n")
    options = ["--input", "nowhere", "--runs", str(tmp_path), "--output", str(tmp_path / "results.md")]
    result = CliRunner().invoke(main, ["compare", *options, "--readme", str(tmp_path / "README.md")])
    assert 1 == result.exit_code
    assert BEGIN in result.stderr


def test_the_readme_has_the_figures_of_the_results() -> None:
    """Each figure of the short table is in docs/results.md, in a row of the same network."""
    root = Path(__file__).parents[4]
    page = (root / "docs" / "results.md").read_text().splitlines()
    _, _, rest = (root / "README.md").read_text().partition(BEGIN)
    rows = [line.strip("| ").split(" | ") for line in rest.partition(END)[0].splitlines() if line.startswith("| ")]
    measured = [(row[0], cell) for row in rows for cell in row if "[" in cell]
    assert measured
    assert [] == [
        (name, cell)
        for name, cell in measured
        if not any(line.startswith(f"| {name} |") and f"| {cell} |" in line for line in page)
    ]
