"""What the site holds beside ``docs/``: the changelog and the page for contributors, which lie at the root."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")


def on_files(files: Files, config: Any) -> Files:
    """Add the pages under their own names, with links as they read from ``docs/``."""
    root = Path(config.config_file_path).parent
    for name in PAGES:
        text = (root / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files
