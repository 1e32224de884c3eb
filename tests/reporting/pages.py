"""Reads the tables of a report back from its HTML."""

from html.parser import HTMLParser


class Tables(HTMLParser):
    """Reads every table as rows of cell texts; also counts elements and checks that they nest."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.tables, self.open, self.counts, self.texts = [], [], {}, []
        self.goes_on = False
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        # A number inside a sentence does not break it.
        self.goes_on = self.goes_on and tag == "data"
        self.counts[tag] = self.counts.get(tag, 0) + 1
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        self.goes_on = self.goes_on and tag == "data"

    def handle_data(self, text):
        if self.goes_on:
            self.texts[-1] += text
        else:
            self.texts.append(text)
        if "td" in self.open or "th" in self.open:
            self.tables[-1][-1][-1] += text if self.goes_on else f" {text}"
        self.goes_on = True


def cell(tables, header, row, column):
    """The cell of the first table whose header begins so."""
    table = next(table for table in tables if [name.strip() for name in table[0]][: len(header)] == header)
    line = next(line for line in table[1:] if line[0].strip() == row)
    return line[[name.strip() for name in table[0]].index(column)]
