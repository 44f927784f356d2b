"""What a reader sees of a report: its texts, line by line."""

import re
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "img", "br"})
# element to what its line begins with; elements within a line are part of it
LINES = {
    "title": "title: ", "h1": "# ", "h2": "## ", "h3": "### ", "p": "", "li": "- ", "pre": "", "caption": "table: ",
    "figcaption": "figure: ", "tr": "",
}  # fmt: skip


class Page(HTMLParser):
    """The lines and the elements of a page, and whether they close in the order in which they open."""

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
        # spaces that join the digits of a number stay
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
        # no text stands outside of the elements that make lines
        assert not data.strip() or set(self.open) & set(LINES), data
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


def lines_of(html):
    return Page(html).lines


def _name(source):
    """A picture of the tests is its name alone; one that the report made is a PNG."""
    return "png" if source.startswith("data:image/png;base64,iVBOR") else source.partition(",")[2]
