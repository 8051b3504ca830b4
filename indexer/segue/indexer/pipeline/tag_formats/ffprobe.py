"""Reads tags with ffprobe, where it is on the PATH: those of Matroska and of other formats that only ffmpeg decodes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from segue.core.audio.decoders.ffmpeg import source_options
from segue.core.audio.decoders.program import program_input, running_program
from segue.indexer.pipeline.tag_formats.fields import TagFields, add_value

# A damaged file may keep ffprobe busy, and its tags are not worth the wait.
_TIMEOUT_SECONDS = 30.0
_OUTPUT = ["-show_entries", "format_tags:stream_tags", "-select_streams", "a:0", "-print_format", "json"]


def read_by_ffprobe(path: Path) -> TagFields:
    """Returns the fields of a file and of its first audio stream; none if ffprobe is not installed or cannot read it.

    Raises:
        subprocess.TimeoutExpired: ffprobe does not end.
        WorkerError: something killed it.
        OSError: the file cannot be read.
    """
    if shutil.which("ffprobe") is None:
        return {}
    with program_input(path) as source:
        arguments = ["-v", "quiet", *_OUTPUT, *source_options(source.path)]
        with running_program("ffprobe", arguments, source) as ffprobe:
            answer = ffprobe.read_all(_TIMEOUT_SECONDS)
    found = json.loads(answer.decode("utf-8", "replace") or "{}")
    fields: TagFields = {}
    for part in [found.get("format", {}), *found.get("streams", [])]:
        found_here: TagFields = {}
        for key, text in part.get("tags", {}).items():
            add_value(found_here, key, text)
        fields = found_here | fields
    return fields
