"""Takes files from outside docs/ into the site, and makes links between them and the pages fit.

In the repository the pages link README.md, analysis/README.md and others where they lie, so that
GitHub shows them. In the site each of these files is a page of its own.
"""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
#: File in the repository -> its place in the site.
OUTSIDE = {
    "README.md": "index.md",
    "analysis/README.md": "analysis.md",
    "python/README.md": "python.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "CITATION.cff": "CITATION.cff",
}
INSIDE = {place: file for file, place in OUTSIDE.items()}
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s#]+)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the files to the site."""
    for file, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / file)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Points relative links at where their targets lie in the site."""
    place = page.file.src_uri
    here = posixpath.dirname(INSIDE.get(place, f"docs/{place}"))

    def moved(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, link[1]))
        target = OUTSIDE.get(target, target.removeprefix("docs/"))
        return posixpath.relpath(target, posixpath.dirname(place) or ".")

    return LINK.sub(moved, markdown)
