"""Makes pages of the files outside docs/ that the pages link to; mkdocs.yml names it as a hook.

In the project such a link leads to the file. The site has a copy of each as a page below `files/`,
so that it needs no other place: Markdown as it is, other files as text, a folder as a list. Their
links are followed as well, and a link that leads nowhere fails the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT: Final = Path(__file__).parent.parent
FOLDER: Final = "files"
_LINK: Final = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)\s#]+(?=[)#])")
_BLOCK: Final = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LANGUAGES: Final = {".py": "python", ".service": "ini", ".timer": "ini", ".yml": "yaml"}
"""The names that a highlighter has for the ends of files, where they are not the same."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds a page for every file outside docs/ that a page leads to, directly or by others."""
    pages = {f"docs/{one.src_uri}": one.content_string for one in files.documentation_pages()}
    waiting = [*pages]
    while waiting:
        path = waiting.pop()
        for target in _targets(path, pages[path]):
            is_elsewhere = target.startswith(("docs/", "../"))
            if target in pages or is_elsewhere or not (ROOT / target).exists():
                continue
            pages[target] = _page_of(target)
            files.append(File.generated(config, _place(target), content=pages[target]))
            waiting.append(target)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns the links of a page, which are those of the project, into those of the site."""
    del config, files
    here: str = page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        target = _place(_resolved(_origin(here), link[0]))
        return posixpath.relpath(target, posixpath.dirname(here) or ".")

    # Every second piece is a block of code.
    pieces = _BLOCK.split(markdown)
    pieces[::2] = [_LINK.sub(moved, piece) for piece in pieces[::2]]
    return "".join(pieces)


def _targets(path: str, text: str) -> list[str]:
    """What a file of the project links to."""
    return [_resolved(path, link[0]) for link in _LINK.finditer(_BLOCK.sub("", text))]


def _resolved(path: str, link: str) -> str:
    """The path of a link from the root of the project; the links of a folder's page are in it."""
    folder = path if (ROOT / path).is_dir() else posixpath.dirname(path)
    return posixpath.normpath(posixpath.join(folder, link))


def _place(path: str) -> str:
    """Where a file of the project is in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if (ROOT / path).is_dir():
        return f"{FOLDER}/{path}/index.md"
    return f"{FOLDER}/{path}" if path.endswith(".md") else f"{FOLDER}/{path}.md"


def _origin(place: str) -> str:
    """What file of the project a page of the site is."""
    if not place.startswith(f"{FOLDER}/"):
        return f"docs/{place}"
    path = place.removeprefix(f"{FOLDER}/")
    if (ROOT / path).exists():
        return path
    return path.removesuffix("/index.md").removesuffix(".md")


def _page_of(path: str) -> str:
    """The page of a file or a folder; the search finds Markdown, and not what is in code."""
    file = ROOT / path
    if path.endswith(".md"):
        return file.read_text(encoding="utf-8")
    head = f"---\nsearch:\n  exclude: true\n---\n\n# {path}\n\n"
    if file.is_dir():
        inner = sorted(one.relative_to(file).as_posix() for one in file.rglob("*") if _is_told(one))
        return head + "".join(f"- [{one}]({one})\n" for one in inner)
    language = _LANGUAGES.get(file.suffix, file.suffix.removeprefix("."))
    return f"{head}```{language}\n{file.read_text(encoding='utf-8')}\n```\n"


def _is_told(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts
