"""The visible text of a report, line by line."""

import re
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "img", "br"})
# prefix of the line of each element; inline elements belong to the line around them
LINES = {
    "title": "title: ", "h1": "# ", "h2": "## ", "h3": "### ", "p": "", "li": "- ", "pre": "", "caption": "table: ",
    "figcaption": "figure: ", "tr": "",
}  # fmt: skip


class Page(HTMLParser):
    """The lines and elements of a page; elements have to be closed in the reverse order of opening."""

    def __init__(self, html):
        super().__init__()
        self.lines, self.found, self.open = [], [], []
        self.text, self.cells, self.style = "", [], ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.found.append((tag, attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.lines.append(f"[{_name(attributes['src'])}] {attributes['alt']}")
        if tag in LINES:
            self.text, self.cells = "", []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
        # no-break spaces within numbers are kept
        words = re.sub("[ \n]+", " ", self.text).strip()
        if tag in ("td", "th"):
            self.cells.append(words)
            self.text = ""
        elif tag == "tr":
            self.lines.append(" | ".join(self.cells))
        elif tag in LINES:
            self.lines.append(LINES[tag] + words)

    def handle_data(self, data):
        if "style" in self.open:
            return
        # there is no text outside the elements that make lines
        assert not data.strip() or set(self.open) & set(LINES), data
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def lines_of(html):
    return Page(html).lines


def _name(source):
    """Name a picture: one of the tests by its name, one that the report drew as a PNG."""
    return "png" if source.startswith("data:image/png;base64,iVBOR") else source.partition(",")[2]
